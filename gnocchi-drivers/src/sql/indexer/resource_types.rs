use async_trait::async_trait;
use gnocchi_core::driver::ResourceTypeIndexer;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{GENERIC, ResourceType};

use crate::sql::SqlIndexer;
use crate::sql::database::{Access, Session};
use crate::sql::document::{decode_type, encode_type};
use crate::sql::error::SqlError;
use crate::sql::statement::{Row, Statement};

pub(super) fn no_such_type(name: &str) -> SqlError {
    IndexerError::NoSuchResourceType {
        name: name.to_owned(),
    }
    .into()
}

pub(super) fn read_type(mut row: Row) -> Result<ResourceType, SqlError> {
    let name = row.text("resource_type.name")?;
    let attributes = row.text("resource_type.attributes")?;
    decode_type(name, &attributes)
}

async fn insert(session: &mut dyn Session, resource_type: &ResourceType) -> Result<(), SqlError> {
    let attributes = encode_type(resource_type)?;
    let statement = Statement::new("INSERT INTO resource_type (name, attributes) VALUES (?, ?)");
    match session
        .execute(statement.bind(resource_type.name()).bind(attributes))
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if error.is_unique_violation() => Err(IndexerError::ResourceTypeExists {
            name: resource_type.name().to_owned(),
        }
        .into()),
        Err(error) => Err(error),
    }
}

/// Returns one type.
pub(super) async fn find_type(
    session: &mut dyn Session,
    name: &str,
) -> Result<ResourceType, SqlError> {
    let statement =
        Statement::new("SELECT name, attributes FROM resource_type WHERE name = ?").bind(name);
    let rows = session.fetch(statement).await?;
    rows.into_iter()
        .next()
        .map_or_else(|| Err(no_such_type(name)), read_type)
}

async fn list(session: &mut dyn Session) -> Result<Vec<ResourceType>, SqlError> {
    let statement = Statement::new("SELECT name, attributes FROM resource_type ORDER BY name");
    session
        .fetch(statement)
        .await?
        .into_iter()
        .map(read_type)
        .collect()
}

async fn delete(session: &mut dyn Session, name: &str) -> Result<(), SqlError> {
    let in_use = || {
        Err(IndexerError::ResourceTypeInUse {
            name: name.to_owned(),
        }
        .into())
    };
    if name == GENERIC {
        return in_use();
    }
    let statement = Statement::new("DELETE FROM resource_type WHERE name = ?").bind(name);
    match session.execute(statement).await {
        Ok(0) => Err(no_such_type(name)),
        Ok(_) => Ok(()),
        Err(error) if error.is_foreign_key_violation() => in_use(),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl ResourceTypeIndexer for SqlIndexer {
    async fn create_resource_type(&self, resource_type: &ResourceType) -> Result<(), IndexerError> {
        self.database
            .call(
                Access::Write,
                "create a resource type",
                resource_type.clone(),
                |session, resource_type| Box::pin(insert(session, resource_type)),
            )
            .await
    }

    async fn resource_type(&self, name: &str) -> Result<ResourceType, IndexerError> {
        self.database
            .call(
                Access::Read,
                "read a resource type",
                name.to_owned(),
                |session, name| Box::pin(find_type(session, name)),
            )
            .await
    }

    async fn resource_types(&self) -> Result<Vec<ResourceType>, IndexerError> {
        self.database
            .call(Access::Read, "list resource types", (), |session, ()| {
                Box::pin(list(session))
            })
            .await
    }

    async fn delete_resource_type(&self, name: &str) -> Result<(), IndexerError> {
        self.database
            .call(
                Access::Write,
                "delete a resource type",
                name.to_owned(),
                |session, name| Box::pin(delete(session, name)),
            )
            .await
    }
}
