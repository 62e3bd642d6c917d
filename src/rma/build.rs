//! Finds the MPI library that `mpi-sys` links, sets the rpath to it, and tells the crate which one it is.
//!
//! `mpi-sys` links the library but sets no rpath, and all Open MPI 4 and 5 share the soname
//! `libmpi.so.40`, all MPICH 4 and 5 and Intel MPI the soname `libmpi.so.12`. Without an rpath, a
//! program built against one of them can silently load another. The probe is the one that `mpi-sys`
//! itself uses, so that both find the same library.
//!
//! Cargo passes no linker options on to crates that depend on this one. Their build scripts find these as
//! `DEP_ONESIDED_LINK_ARG`; docs/claims.md has such a script.
//!
//! A build against the standard ABI is meant to load another one: its rpath is what linkers call
//! `DT_RUNPATH`, which `LD_LIBRARY_PATH` overrides.

fn main() {
    println!("cargo:rerun-if-changed=src/rma/build.rs");
    println!("cargo:rustc-check-cfg=cfg(mpi_comm_is_int)");
    println!("cargo:rustc-check-cfg=cfg(mpi_comm_is_pointer)");
    println!("cargo:rustc-check-cfg=cfg(mpi_standard_abi)");
    #[cfg(feature = "mpi")]
    mpi::describe();
}

#[cfg(feature = "mpi")]
mod mpi {
    use std::env;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    /// Everything that the crate needs to know of the library.
    pub fn describe() {
        // `mpi-sys` does not watch these; watching them here makes a switch of the library fail to
        // compile (see `mpi_comm_is_*` in src/rma/mod.rs) where it would otherwise link the old one.
        for variable in ["MPICC", "MPI_PKG_CONFIG", "CRAY_MPICH_DIR", "PATH"] {
            println!("cargo:rerun-if-env-changed={variable}");
        }
        let library = build_probe_mpi::probe().unwrap_or_else(|reasons| {
            for reason in reasons {
                eprintln!("{reason}");
            }
            eprintln!(
                "no MPI library was found: load your cluster's MPI module, or install one \
                 (Debian: openmpi-bin libopenmpi-dev), or set MPICC to a compiler wrapper; \
                 `just build` sets one up by itself; `--no-default-features --features cli` builds without MPI"
            );
            std::process::exit(1);
        });
        let rpaths = (library.lib_paths.iter()).map(|dir| format!(",-rpath,{}", dir.display()));
        let link_arg = format!("-Wl,--enable-new-dtags{}", rpaths.collect::<String>());
        println!("cargo:rustc-link-arg={link_arg}");
        println!("cargo::metadata=link_arg={link_arg}");
        let Some(mpicc) = library.mpicc else {
            println!("cargo:rustc-env=ONESIDED_MPI_HEADER=");
            println!("cargo:rustc-env=ONESIDED_MPIEXEC=");
            return;
        };
        let macros = header_macros(&mpicc);
        let header = header_version(&macros);
        if header.starts_with("Open MPI") {
            println!("cargo:rustc-cfg=mpi_comm_is_pointer");
        } else if header.is_empty() && macros.contains("#define MPI_ABI_VERSION ") {
            println!("cargo:rustc-cfg=mpi_standard_abi");
        } else if (header.starts_with("MPICH") || header.starts_with("Intel"))
            && macros.contains("#define MPI_COMM_WORLD ((MPI_Comm)0x")
        {
            println!("cargo:rustc-cfg=mpi_comm_is_int");
        }
        println!("cargo:rustc-env=ONESIDED_MPI_HEADER={header}");
        println!(
            "cargo:rustc-env=ONESIDED_MPIEXEC={}",
            launcher_beside(&mpicc, &header).unwrap_or_default()
        );
    }

    /// All macros that `mpi.h` defines, one `#define` a line; empty where the wrapper cannot tell.
    fn header_macros(mpicc: &str) -> String {
        let source = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("version.c");
        std::fs::write(&source, "#include <mpi.h>\n").expect("OUT_DIR is writable");
        let output = Command::new(mpicc)
            .args(["-E", "-dM"])
            .arg(&source)
            .stderr(Stdio::inherit())
            .output();
        output
            .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
            .unwrap_or_default()
    }

    /// `Open MPI 4.1.4`, `MPICH 4.0.2`, or nothing where the header names no library, as the one of
    /// the standard ABI does on purpose.
    fn header_version(macros: &str) -> String {
        let value = |name: &str| {
            macros.lines().find_map(|line| {
                let rest = line
                    .strip_prefix("#define ")?
                    .strip_prefix(name)?
                    .strip_prefix(' ')?;
                Some(rest.trim().trim_matches('"').to_owned())
            })
        };
        let open_mpi = [
            "OMPI_MAJOR_VERSION",
            "OMPI_MINOR_VERSION",
            "OMPI_RELEASE_VERSION",
        ]
        .map(value);
        if let [Some(major), Some(minor), Some(release)] = open_mpi {
            format!("Open MPI {major}.{minor}.{release}")
        } else if let Some(version) = value("I_MPI_VERSION") {
            // Made from MPICH, whose version it has too.
            format!("Intel(R) MPI Library {version}")
        } else if let Some(version) = value("MPICH_VERSION") {
            format!("MPICH {version}")
        } else {
            String::new()
        }
    }

    /// The launcher of the same installation: `mpirun` beside `mpicc`, `mpirun.mpich` beside
    /// `mpicc.mpich`; Intel's `mpiexec.hydra`, since its `mpirun` leaves ranks behind on SIGTERM.
    fn launcher_beside(mpicc: &str, header: &str) -> Option<String> {
        let wrapper = if mpicc.contains('/') {
            PathBuf::from(mpicc)
        } else {
            env::split_paths(&env::var_os("PATH")?)
                .map(|dir| dir.join(mpicc))
                .find(|p| p.is_file())?
        };
        let name = wrapper.file_name()?.to_str()?;
        // `mpicc.mpich`: what follows `mpicc` names a variant; the launcher may have it too.
        let variant = name.strip_prefix("mpicc").unwrap_or_default();
        let dir = wrapper.parent()?;
        let own = if header.starts_with("Intel") {
            "mpiexec.hydra".into()
        } else {
            format!("mpirun{variant}")
        };
        [own, "mpirun".into(), "mpiexec".into()]
            .iter()
            .map(|launcher| dir.join(launcher))
            .find(|path| path.is_file())
            .map(|path| path.display().to_string())
    }
}
