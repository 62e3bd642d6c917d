//! Which MPI library this is: as it was built against, and as it is at run time.

use std::fmt;

/// A family of MPI implementations: what hints and known faults are keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Open MPI.
    OpenMpi,
    /// MPICH itself.
    Mpich,
    /// Intel MPI, an MPICH derivative with the same ABI.
    Intel,
    /// MVAPICH, an MPICH derivative with the same ABI.
    Mvapich,
    /// Anything else.
    Other,
}

/// An MPI library: family, version, and its own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The implementation.
    pub family: Family,
    /// Major, minor, release; zero where the text does not say.
    pub version: [u32; 3],
    /// First line of what `MPI_Get_library_version` says.
    pub text: String,
}

impl Library {
    /// Reads what `MPI_Get_library_version` (MPI-4.1 §9.1.1) returned.
    ///
    /// ```
    /// # use onesided::rma::{Family, Library};
    /// let library = Library::parse("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4");
    /// assert_eq!((library.family, library.version), (Family::OpenMpi, [4, 1, 4]));
    /// assert_eq!(library.to_string(), "Open MPI 4.1.4");
    /// ```
    pub fn parse(text: &str) -> Self {
        const MARKS: [(&str, Family); 7] = [
            ("Open MPI v", Family::OpenMpi),
            ("Open MPI ", Family::OpenMpi),
            ("Intel(R) MPI Library", Family::Intel),
            ("Intel MPI", Family::Intel),
            // "MVAPICH2 Version" and "MVAPICH Version": the digit in the name is no version.
            ("MVAPICH2", Family::Mvapich),
            ("MVAPICH", Family::Mvapich),
            ("MPICH", Family::Mpich),
        ];
        let found = MARKS.iter().find_map(|(mark, family)| {
            let at = text.find(mark)?;
            Some((*family, first_version(&text[at + mark.len()..])))
        });
        let (family, version) = found.unwrap_or((Family::Other, [0; 3]));
        let text = text.lines().next().unwrap_or_default().trim().to_owned();
        Library {
            family,
            version,
            text,
        }
    }

    /// The library whose `mpi.h` this crate was compiled with, where the header says. That of the
    /// standard ABI (MPI-5.0 §20) names none: what was built with it runs with any that has the ABI.
    pub fn built_against() -> Option<Self> {
        let header = env!("ONESIDED_MPI_HEADER");
        (!header.is_empty()).then(|| Library::parse(header))
    }

    /// Why `self`, loaded at run time, is not the library that the program was `built` against.
    ///
    /// Open MPI 4 and 5 share a soname, and MPICH 4, 5 and their derivatives share another, so that
    /// the dynamic linker takes whichever it meets first. A derivative that keeps MPICH's ABI is no
    /// accident worth a warning when it has another name: somebody chose it.
    pub fn differs_from(&self, built: &Library) -> Option<String> {
        let same = self.family == built.family && self.version[..2] == built.version[..2];
        let derivative = built.family == Family::Mpich
            && matches!(self.family, Family::Intel | Family::Mvapich | Family::Other);
        (!same && !derivative).then(|| {
            format!(
                "built against {built}, but {self} was loaded: both have the same file name; \
                 look at LD_LIBRARY_PATH, or build again"
            )
        })
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.family {
            Family::OpenMpi => "Open MPI",
            Family::Mpich => "MPICH",
            Family::Intel => "Intel MPI",
            Family::Mvapich => "MVAPICH",
            Family::Other => return f.write_str(&self.text),
        };
        let [major, minor, release] = self.version;
        write!(f, "{name} {major}.{minor}")?;
        if release > 0 || self.family != Family::Intel {
            write!(f, ".{release}")?;
        }
        Ok(())
    }
}

/// The first dotted number in `text`, as up to three parts.
fn first_version(text: &str) -> [u32; 3] {
    let start = text
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(text.len());
    let number = text[start..]
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .next()
        .unwrap_or("");
    let mut version = [0; 3];
    for (slot, part) in version.iter_mut().zip(number.split('.')) {
        *slot = part.parse().unwrap_or(0);
    }
    version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_texts_of_real_libraries() {
        let cases = [
            (
                "Open MPI v5.0.11, package: Open MPI x Distribution, ident: 5.0.11",
                "Open MPI 5.0.11",
            ),
            (
                "MPICH Version:      4.0.2\nMPICH Release date: Thu Apr",
                "MPICH 4.0.2",
            ),
            (
                "MPICH Version:      5.0.2\nMPICH ABI: 17:2:5",
                "MPICH 5.0.2",
            ),
            (
                "Intel(R) MPI Library 2021.18 for Linux* OS",
                "Intel MPI 2021.18",
            ),
            ("Intel MPI 2021.18.1", "Intel MPI 2021.18.1"),
            ("MVAPICH2 Version      :\t2.3.7", "MVAPICH 2.3.7"),
            ("HPE something", "HPE something"),
        ];
        for (text, name) in cases {
            assert_eq!(Library::parse(text).to_string(), name);
        }
    }

    #[test]
    fn another_major_version_is_noticed_and_a_derivative_is_not() {
        let lib = Library::parse;
        assert!(
            lib("Open MPI v4.1.4")
                .differs_from(&lib("Open MPI 5.0.11"))
                .is_some()
        );
        assert!(
            lib("Open MPI v5.0.11")
                .differs_from(&lib("Open MPI 5.0.11"))
                .is_none()
        );
        assert!(
            lib("MPICH Version: 4.0.2")
                .differs_from(&lib("MPICH 5.0.2"))
                .is_some()
        );
        assert!(
            lib("Intel(R) MPI Library 2021.18")
                .differs_from(&lib("MPICH 5.0.2"))
                .is_none()
        );
        assert!(
            lib("Intel(R) MPI Library 2021.18 for Linux* OS")
                .differs_from(&lib("Intel(R) MPI Library 2021.18.1"))
                .is_none()
        );
    }
}
