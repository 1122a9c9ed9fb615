use async_trait::async_trait;
use gnocchi_core::driver::ResourceTypeIndexer;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{GENERIC, ResourceId, ResourceType, ResourceTypeChange};

use crate::sql::SqlIndexer;
use crate::sql::database::{Access, Session};
use crate::sql::document::{decode_type, encode_change, encode_type};
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
    let attributes = encode_type(resource_type);
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

/// What current and past revisions of resources are in.
const TABLES: [&str; 2] = ["resource", "resource_revision"];

/// Changes a type and all resources of it, with a number of statements that doesn't depend on how many there are.
async fn update(session: &mut dyn Session, change: &ResourceTypeChange) -> Result<(), SqlError> {
    let name = change.before().name();
    if find_type(session, name).await? != *change.before() {
        return Err(IndexerError::ResourceTypeChanged {
            name: name.to_owned(),
        }
        .into());
    }
    if change.bytes_per_resource() > 0 {
        change.check_size(count(session, name).await?)?;
    }
    for (attribute, max_length) in change.shortened() {
        check_lengths(session, name, attribute, max_length).await?;
    }
    let statement = Statement::new("UPDATE resource_type SET attributes = ? WHERE name = ?");
    session
        .execute(statement.bind(encode_type(change.after())).bind(name))
        .await?;
    if change.fills().is_empty() && change.removed().is_empty() {
        return Ok(());
    }
    let (fills, removed) = encode_change(change)?;
    for table in TABLES {
        let mut statement = Statement::new("UPDATE ");
        statement.push(table);
        statement.push(" SET attributes = ");
        session.dialect().push_changed_attributes(
            &mut statement,
            "attributes",
            fills.clone(),
            removed.clone(),
        );
        statement.push(" WHERE resource_type = ");
        statement.push_value(name);
        session.execute(statement).await?;
    }
    Ok(())
}

/// Counts the resources of a type, and their past revisions.
async fn count(session: &mut dyn Session, resource_type: &str) -> Result<u64, SqlError> {
    let mut all = 0;
    for table in TABLES {
        let mut statement = Statement::new("SELECT COUNT(*) FROM ");
        statement.push(table);
        statement.push(" WHERE resource_type = ");
        statement.push_value(resource_type);
        for mut row in session.fetch(statement).await? {
            let rows = row.optional_integer("COUNT(*)")?.unwrap_or_default();
            all += u64::try_from(rows).unwrap_or_default();
        }
    }
    Ok(all)
}

/// Looks for a resource with a text that would be too long.
async fn check_lengths(
    session: &mut dyn Session,
    resource_type: &str,
    attribute: &str,
    max_length: u32,
) -> Result<(), SqlError> {
    for table in TABLES {
        let mut statement = Statement::new("SELECT id FROM ");
        statement.push(table);
        statement.push(" WHERE resource_type = ");
        statement.push_value(resource_type);
        statement.push(" AND length(");
        session
            .dialect()
            .push_attribute(&mut statement, "attributes", attribute);
        statement.push(") > ");
        statement.push_value(i64::from(max_length));
        statement.push(" LIMIT 1");
        if let Some(mut row) = session.fetch(statement).await?.into_iter().next() {
            return Err(IndexerError::AttributeTooLong {
                attribute: attribute.to_owned(),
                id: ResourceId::from_uuid(row.id("resource.id")?),
                max_length,
            }
            .into());
        }
    }
    Ok(())
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

    async fn update_resource_type(&self, change: &ResourceTypeChange) -> Result<(), IndexerError> {
        self.database
            .call(
                Access::Transaction,
                "change a resource type",
                change.clone(),
                |session, change| Box::pin(update(session, change)),
            )
            .await
    }

    async fn delete_resource_type(&self, name: &str) -> Result<(), IndexerError> {
        self.database
            .call_always(
                Access::Write,
                "delete a resource type",
                name.to_owned(),
                |session, name| Box::pin(delete(session, name)),
            )
            .await
    }
}
