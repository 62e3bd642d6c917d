//! What is refused before anything runs.

use super::*;

fn refused(batch: &Batch) -> String {
    let output = batch.run();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(batch.log().is_empty(), "nothing was started");
    message
}

#[test]
fn every_bad_value_is_named_and_nothing_runs() {
    let mut batch = Batch::new(&[
        "--ranks=2,0,x",
        "--think=fast",
        "--repeat=-3",
        "--time-limit=soon",
    ]);
    let file = batch.scratch.path().join("a plan.toml");
    std::fs::write(
        &file,
        "digits = [9, 0]\nversion = \"rma\"\nhome = 1.5\nthink = \"1s\"\n",
    )
    .expect("a file");
    batch.args.push(file.display().to_string());
    let message = refused(&batch);
    let named = [
        "a plan.toml:1: digits: \"0\"",
        "a plan.toml:2: there is no key \"version\"",
        "a plan.toml:3: 'home' is a float",
        "--ranks: ranks: \"0\"",
        "--ranks: ranks: \"x\"",
        "--think: think: 'fast'",
        "--repeat: repeat: \"-3\"",
        "--time-limit: time-limit: \"soon\"",
    ];
    for bad in named {
        assert!(message.contains(bad), "{bad}: {message}");
    }
    assert_eq!(message.lines().count(), 1 + named.len(), "{message}");
    assert!(message.contains("8 bad values"), "{message}");
    assert!(!batch.out().exists());
}

#[test]
fn of_very_many_bad_values_some_are_named_and_the_rest_counted() {
    let mut batch = Batch::new(&[]);
    let file = batch.scratch.path().join("plan.toml");
    let values = "\"x\",\n".repeat(5_000);
    std::fs::write(&file, format!("ranks = [{values}]\n")).expect("a file");
    batch.args.push(file.display().to_string());
    let message = refused(&batch);
    assert!(message.contains("5000 bad values"), "{message}");
    assert!(message.contains("plan.toml:20: ranks: \"x\""), "{message}");
    assert!(message.ends_with("\n  and 4980 more\n"), "{message}");
    assert_eq!(message.lines().count(), 22, "{message}");
}

#[test]
fn another_plan_in_the_folder_is_refused_with_what_differs() {
    let mut batch = Batch::new(&["--repeat=1"]);
    batch.run_well();
    std::fs::remove_file(batch.scratch.path().join("log")).expect("a log");
    batch.args.extend([
        "--digits=9,64".into(),
        "--seed=2".into(),
        "--time-limit=1h".into(),
    ]);
    let message = refused(&batch);
    assert!(message.contains("digits: 9 there, 9, 64 here"), "{message}");
    assert!(message.contains("seed: 1 there, 2 here"), "{message}");
    assert_eq!(
        message.lines().count(),
        3,
        "how long runs may take is no difference: {message}"
    );
}

#[test]
fn a_launcher_that_is_not_there_is_said_at_once_and_once() {
    for launcher in [
        "no-such-launcher -n {ranks}",
        "/no/such/launcher",
        "/etc/passwd {ranks}",
    ] {
        let mut batch = Batch::new(&[]);
        batch.args[0] = format!("--launcher={launcher}");
        let message = refused(&batch);
        assert!(message.contains("cannot start the launcher"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(!batch.out().exists());
    }
}

#[test]
fn a_batch_needs_a_folder_and_a_file_that_is_there() {
    let mut batch = Batch::new(&[]);
    batch.args.remove(2);
    assert!(refused(&batch).contains("--out"));
    let mut batch = Batch::new(&["no such plan.toml"]);
    assert!(refused(&batch).contains("cannot read no such plan.toml"));
    batch.args = vec!["report".into(), batch.scratch.path().display().to_string()];
    assert!(refused(&batch).contains("no batch in it"));
}

#[test]
fn a_dry_run_shows_every_command_and_starts_none() {
    let batch = Batch::new(&[
        "--ranks=2,4",
        "--repeat=3",
        "--think=exp:100ms",
        "--dry-run",
    ]);
    let text = batch.run_well();
    assert!(batch.log().is_empty() && !batch.out().exists());
    let commands: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("launcher.sh"))
        .collect();
    assert_eq!(commands.len(), 12);
    let launcher = shlex::split(commands[0]).expect("words");
    let begins: Vec<&str> = launcher
        .iter()
        .skip(1)
        .take(5)
        .map(String::as_str)
        .collect();
    assert_eq!(
        begins,
        ["2", "/bin/true", "play", "rma", "--digits"],
        "{text}"
    );
    assert!(
        commands[0].contains("2-ranks_9-digits_think-exp-100ms_rma/001/trace"),
        "{text}"
    );
    assert!(text.contains("12 runs of 4 cells, about "), "{text}");
}
