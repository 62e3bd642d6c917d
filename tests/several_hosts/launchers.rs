//! What each launcher is told so that ranks come to lie on several hosts, and use TCP.

use onesided::internals::rma::faults;
use onesided::rma::{self, Family, Library};

use crate::hosts::agent;

/// The hosts' network.
const NETWORK: &str = "10.77.0.0/24";

/// How ranks of one host talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Over TCP, as with those of other hosts.
    Tcp,
    /// Through shared memory, if the library will.
    SharedMemory,
}

/// Whether this library may hang in `MPI_Finalize`, when all has been done and printed.
///
/// MPICH 4.0.2 with UCX over TCP: a rank whose own endpoints are flushed waits for the process manager,
/// outside UCX, and the others wait for its acknowledgement of what they flush.
pub fn may_hang_at_the_end() -> bool {
    let library = rma::library().expect("the library names itself");
    faults::MPICH_4_0_FINALIZE_OVER_TCP.is_in(&library)
}

/// Arguments and environment of a launcher.
#[derive(Debug, Default)]
pub struct Words {
    pub args: Vec<String>,
    pub envs: Vec<(&'static str, String)>,
}

/// Words for `per_host` ranks on each of `hosts`.
pub fn launcher_words(library: &Library, hosts: &[String], per_host: u32, within: Within) -> Words {
    let hosts_with = |slots: &str| {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("{host}{slots}")).collect();
        hosts.join(",")
    };
    let slots = format!(":{per_host}");
    let mut words = Words::default();
    match library.family {
        Family::OpenMpi => {
            let shared_memory = match (within, library.version[0]) {
                (Within::Tcp, _) => "",
                (Within::SharedMemory, ..=4) => ",vader",
                (Within::SharedMemory, _) => ",sm",
            };
            let btl = format!("tcp,self{shared_memory}");
            let args = ["-H", &hosts_with(&slots)];
            words.args.extend(args.map(str::to_owned));
            match library.version[0] {
                ..=4 => words.mca(&[("plm_rsh_agent", &agent()), ("oob_tcp_if_include", NETWORK)]),
                _ => {
                    let per_node = format!("ppr:{per_host}:node:oversubscribe");
                    words.args.extend(["--map-by".into(), per_node]);
                    let agent = [("plm_ssh_agent", &*agent()), ("prte_if_include", NETWORK)];
                    words.pairs("--prtemca", &agent);
                }
            }
            words.mca(&[
                ("btl_tcp_if_include", NETWORK),
                ("btl", &btl),
                ("pml", "ob1"),
                // Each host thinks that it has the cores for itself.
                ("mpi_yield_when_idle", "1"),
            ]);
            // Likewise, the first rank of each would be bound to the first core.
            words.args.extend(["--bind-to".into(), "none".into()]);
        }
        _ => {
            let hosts = match per_host {
                1 => hosts_with(""),
                _ => hosts_with(&slots),
            };
            let args = [
                "-hosts",
                &hosts,
                "-iface",
                "eth0",
                "-launcher",
                "ssh",
                "-launcher-exec",
                &agent(),
            ];
            words.args.extend(args.map(str::to_owned));
            words.envs.push(("UCX_TLS", "tcp,self".into()));
            if within == Within::Tcp {
                words.envs.push(("MPIR_CVAR_NOLOCAL", "1".into()));
            }
        }
    }
    words
}

impl Words {
    fn mca(&mut self, parameters: &[(&str, &str)]) {
        self.pairs("--mca", parameters);
    }

    fn pairs(&mut self, option: &str, parameters: &[(&str, &str)]) {
        for (name, value) in parameters {
            let words = [option, name, value];
            self.args.extend(words.map(str::to_owned));
        }
    }
}
