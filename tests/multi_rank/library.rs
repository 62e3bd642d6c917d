//! Which library the ranks loaded. Several have the same file name, and a program that was built against
//! the standard ABI runs with any of them: without this, all the other tests could pass twice with one
//! library, and the other never be tried.

use libtest_mimic::{Failed, Trial};
use onesided::rma::{self, Comm, Family, Library};

use crate::harness::{Body, on_ranks};

const LOADED: Body = Body {
    name: "library::is_the_one_that_the_environment_names",
    run: is_the_one_that_the_environment_names,
};

pub const BODIES: &[Body] = &[LOADED];

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = on_ranks(&[1, 3], LOADED).collect();
    trials.push(Trial::test(
        "library::another_one_than_named_is_noticed",
        another_one_than_named_is_noticed,
    ));
    trials
}

/// `.ci/mpi` names the library; without it, the header that this was compiled with does.
fn is_the_one_that_the_environment_names(_: &Comm<'_>) {
    let loaded = rma::library().expect("the library names itself");
    let named = std::env::var("ONESIDED_MPI_VERSION").ok();
    let named = named.map(|text| Library::parse(&text));
    if let Some(why) = named
        .or_else(Library::built_against)
        .and_then(|named| mismatch(&loaded, &named))
    {
        panic!("{why}");
    }
}

/// Why `loaded` is not the library that was `named`, major and minor version included.
fn mismatch(loaded: &Library, named: &Library) -> Option<String> {
    let is_named = named.family == Family::Other // a header that tells no more than the standard
        || (loaded.family == named.family && loaded.version[..2] == named.version[..2]);
    (!is_named).then(|| format!("{named} was to be loaded, and {loaded} was"))
}

fn another_one_than_named_is_noticed() -> Result<(), Failed> {
    let lib = Library::parse;
    for (loaded, named, differ) in [
        ("MPICH Version: 5.0.2", "Intel MPI 2021.18.1", true),
        ("Intel(R) MPI Library 2021.18.1", "MPICH 5.0.2", true),
        ("Open MPI v4.1.4", "Open MPI 5.0.11", true),
        (
            "Intel(R) MPI Library 2021.18.1",
            "Intel MPI 2021.18.1",
            false,
        ),
        ("MPICH Version: 5.0.2", "MPICH 5.0.2", false),
    ] {
        if mismatch(&lib(loaded), &lib(named)).is_some() != differ {
            return Err(format!("{loaded} for {named}").into());
        }
    }
    Ok(())
}
