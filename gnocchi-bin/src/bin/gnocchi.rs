//! The program `gnocchi`: see `gnocchi --help`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Gives freed memory back to the system after a moment, which the allocator of most systems does not do for a program that
/// allocates from many threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    gnocchi_server::cli::main()
}
