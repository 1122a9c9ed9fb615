//! The requirements on every driver, as tests.
//!
//! Each contract has a module with one function for each property, and a macro that generates a test from each function. A driver
//! passes the macro an asynchronous function that returns a fixture: a fresh, private instance of the driver, which is removed when
//! the fixture is dropped.
//!
//! | contract | properties | macro |
//! |---|---|---|
//! | [`IncomingDriver`](crate::driver::IncomingDriver) | [`incoming`] | [`incoming_conformance!`](crate::incoming_conformance) |
//! | [`StorageDriver`](crate::driver::StorageDriver) | [`storage`] | [`storage_conformance!`](crate::storage_conformance) |
//! | [`Coordinator`](crate::driver::Coordinator) | [`coordinator`] | [`coordinator_conformance!`](crate::coordinator_conformance) |
//!
//! The properties of an indexer are in [`indexer`], with the macro [`indexer_conformance!`](crate::indexer_conformance); [`fault`] has
//! wrappers that fail on purpose.
//!
//! A bug found in one driver becomes a property here first.

pub mod coordinator;
pub mod fault;
pub mod incoming;
pub mod indexer;
pub mod storage;

/// Makes one test per property; the suites use it.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($contract:ident, $fixture:path, [$($property:ident),* $(,)?]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $property() {
                let fixture = $fixture().await;
                $crate::conformance::$contract::$property($crate::conformance::$contract::driver(&fixture)).await;
            }
        )*
    };
    ($contract:ident, $fixture:path, reopening [$($property:ident),* $(,)?]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $property() {
                let mut fixture = $fixture().await;
                $crate::conformance::$contract::$property(&mut fixture).await;
            }
        )*
    };
}
