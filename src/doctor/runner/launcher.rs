//! The launcher's command line, from a template: words, no shell.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::launch::Template;
use crate::rma::Family;

/// A command that starts ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    words: Vec<String>,
}

impl Launcher {
    /// From a template such as `mpirun -n {ranks}`, split into words as a shell would, quotes included.
    /// `{ranks}` and `{hosts}` (parted by commas) are filled in; hosts that the template does not name
    /// are given as the launcher of `family` wants them.
    ///
    /// # Errors
    /// What is wrong with the template, in one line for the user.
    pub fn new(
        template: &str,
        ranks: u32,
        hosts: &[String],
        family: Family,
    ) -> Result<Self, String> {
        let template = Template::new(template).map_err(|why| format!("--launcher {why}"))?;
        let names_hosts = template.names("hosts");
        if names_hosts && hosts.is_empty() {
            return Err(format!(
                "--launcher '{}' wants hosts, and there are none: name them with --hosts",
                template.text()
            ));
        }
        let mut words =
            template.fill(&[("ranks", &ranks.to_string()), ("hosts", &hosts.join(","))]);
        if !hosts.is_empty() && !names_hosts {
            let options = host_options(&words[0], ranks, hosts, family)?;
            words.splice(1..1, options);
        }
        Ok(Launcher { words })
    }

    /// The command that starts `program` with these variables set on every rank.
    pub(super) fn command(&self, variables: &[&str], program: &Path, args: &[String]) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        if !variables.is_empty() {
            // `env` sets them on all hosts, for every launcher alike.
            command.arg("env").args(variables);
        }
        command.arg(program).args(args);
        command
    }

    /// What is started first.
    pub(super) fn program(&self) -> &str {
        &self.words[0]
    }
}

impl fmt::Display for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        // A word with a NUL in it cannot be quoted, nor given on a command line.
        f.write_str(&shlex::try_join(words).unwrap_or_default())
    }
}

/// How a launcher is told on which hosts to start the ranks, as many on each.
fn host_options(
    launcher: &str,
    ranks: u32,
    hosts: &[String],
    family: Family,
) -> Result<Vec<String>, String> {
    let each = ranks.div_ceil(hosts.len() as u32);
    let slots = |hosts: &[String]| {
        let slots: Vec<String> = hosts.iter().map(|host| format!("{host}:{each}")).collect();
        slots.join(",")
    };
    let name = Path::new(launcher).file_name().unwrap_or_default();
    let options = match (name.to_str(), family) {
        (Some("srun"), _) => vec!["-w".into(), hosts.join(",")],
        (_, Family::OpenMpi) => vec![
            "-H".into(),
            slots(hosts),
            "--map-by".into(),
            format!("ppr:{each}:node"),
        ],
        (_, Family::Mpich | Family::Intel) => vec![
            "-hosts".into(),
            hosts.join(","),
            "-ppn".into(),
            each.to_string(),
        ],
        (_, Family::Mvapich | Family::Other) => {
            return Err(
                "--hosts: it is not known how this library's launcher is told of hosts; put {hosts} into \
                 --launcher"
                    .into(),
            );
        }
    };
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(template: &str, hosts: &[&str], family: Family) -> String {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let launcher = Launcher::new(template, 4, &hosts, family).unwrap();
        launcher.words.join("|")
    }

    #[test]
    fn templates_are_filled_in() {
        assert_eq!(
            shown("mpirun -n {ranks}", &[], Family::OpenMpi),
            "mpirun|-n|4"
        );
        assert_eq!(
            shown("'my launcher' \"-n {ranks}\"", &[], Family::Other),
            "my launcher|-n 4"
        );
        assert_eq!(
            shown("run -w {hosts} -n {ranks}", &["a", "b"], Family::Other),
            "run|-w|a,b|-n|4"
        );
    }

    #[test]
    fn hosts_are_given_as_each_launcher_wants_them() {
        let shown = |template, family| shown(template, &["a", "b"], family);
        assert_eq!(
            shown("mpirun -n {ranks}", Family::OpenMpi),
            "mpirun|-H|a:2,b:2|--map-by|ppr:2:node|-n|4"
        );
        assert_eq!(
            shown("mpirun -n {ranks}", Family::Mpich),
            "mpirun|-hosts|a,b|-ppn|2|-n|4"
        );
        assert_eq!(
            shown("/bin/srun --mpi=pmix -n {ranks}", Family::OpenMpi),
            "/bin/srun|-w|a,b|--mpi=pmix|-n|4"
        );
    }

    #[test]
    fn what_cannot_be_is_said() {
        let new = |template, hosts: &[String]| Launcher::new(template, 2, hosts, Family::Other);
        assert!(new("mpirun 'x", &[]).unwrap_err().contains("quote"));
        assert!(new(" ", &[]).unwrap_err().contains("empty"));
        assert!(new("x {hosts}", &[]).unwrap_err().contains("--hosts"));
        assert!(new("x", &["a".into()]).unwrap_err().contains("{hosts}"));
    }
}
