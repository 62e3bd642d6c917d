//! The commands of README.md and of docs/: each block of `sh`, and each line of a `console` that begins with `$ `, is
//! run page by page in a folder of its own, and ends well. A comment before a block says why it is not run:
//! `<!-- not run: … -->`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::ONESIDED;
use crate::support::{Job, Turn, is_campaign, scratch};

/// Options that are followed by a file or folder which a job writes.
const PATHS: [&str; 3] = ["--trace", "--checkpoint", "--resume"];

/// README.md, and all pages below docs/.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/measurements"] {
        let entries = fs::read_dir(root.join(folder)).expect("there are docs");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        pages.extend(
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")),
        );
    }
    pages.sort();
    pages
}

/// The commands of a page, and how many blocks are not run.
fn commands(page: &str) -> (Vec<String>, usize) {
    let (mut commands, mut n_not_run) = (Vec::new(), 0);
    let mut lines = page.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line
            .strip_prefix("```")
            .filter(|language| !language.is_empty())
        {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let prompt = match language {
                "sh" => "",
                "console" => "$ ",
                _ => continue,
            };
            if before.starts_with("<!-- not run: ") {
                n_not_run += 1;
            } else {
                let of_block = block.iter().filter_map(|line| line.strip_prefix(prompt));
                commands.extend(
                    of_block
                        .filter(|line| !line.trim().is_empty())
                        .map(String::from),
                );
            }
        }
        if !line.is_empty() {
            before = line;
        }
    }
    (commands, n_not_run)
}

/// Runs a command as a reader would in `folder`, with the program under test and the launcher of its MPI.
fn run(command: &str, folder: &Path) {
    let words = shlex::split(command).unwrap_or_else(|| panic!("no command of a shell: {command}"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (n_ranks, args) = match words.as_slice() {
        ["mpirun", "-n", n_ranks, "onesided", args @ ..] => (Some(n_ranks), args),
        ["onesided", args @ ..] => (None, args),
        _ => panic!("nothing here runs this: {command}"),
    };
    let mut args: Vec<String> = args.iter().map(|&word| word.into()).collect();
    let is_doctor = args[0] == "doctor";
    if is_doctor && !is_campaign() {
        args.push("--within=5s".into()); // end_to_end/doctor.rs has what it finds in its own time
    }
    let (code, stderr) = if let Some(n_ranks) = n_ranks {
        for i in (1..args.len()).filter(|&i| PATHS.contains(&words[i + 3])) {
            args[i] = folder.join(&args[i]).display().to_string();
        }
        let job = Job::new(n_ranks.parse().expect("a number"), ONESIDED).args(args);
        let ended = job.deadline(Duration::from_secs(120)).run();
        (ended.code, ended.stderr)
    } else {
        let _turn = Turn::of(3);
        let output = Command::new(ONESIDED)
            .args(args)
            .current_dir(folder)
            .output()
            .expect("the program starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    // The doctor's verdict on this MPI is not about the page.
    assert!(
        code == Some(0) || is_doctor && code == Some(1),
        "exit code {code:?} of {command}:\n{stderr}"
    );
}

#[test]
fn each_command_of_the_pages_ends_well() {
    let mut n_commands = 0;
    for page in pages() {
        let (commands, n_not_run) = commands(&fs::read_to_string(&page).expect("a page"));
        let folder = scratch();
        for command in &commands {
            println!("{}: {command}", page.display());
            run(command, folder.path());
        }
        println!(
            "{}: {} commands, {n_not_run} blocks not run",
            page.display(),
            commands.len()
        );
        n_commands += commands.len();
    }
    assert!(n_commands > 20, "{n_commands}");
}

#[test]
fn commands_are_found() {
    let page = "a\n```sh\nfirst # why\n\nsecond\n```\n<!-- not run: a reason -->\n\n```sh\nthird\n```\n\
                ```console\n$ fourth\nits output\n```\n```rust\nfifth\n```\n```\nsixth\n```\n";
    let found = (
        ["first # why", "second", "fourth"]
            .map(String::from)
            .to_vec(),
        1,
    );
    assert_eq!(commands(page), found);
}

/// The modules of `src`, in the columns of ARCHITECTURE.md's diagram: each imports from those right of its own.
#[test]
fn imports_go_as_the_diagram_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/ARCHITECTURE.md")).expect("a page");
    let diagram = page.lines().find(|line| line.contains('→'));
    let columns = diagram.expect("a diagram").split('→');
    let columns: Vec<Vec<&str>> = columns
        .map(|column| column.split(',').map(str::trim).collect())
        .collect();
    let column_of = |module: &str| columns.iter().position(|column| column.contains(&module));
    let mut n_imports = 0;
    for (column, module) in columns
        .iter()
        .enumerate()
        .flat_map(|(i, column)| column.iter().map(move |m| (i, m)))
    {
        for file in files_of(&root.join("src"), module) {
            let text = fs::read_to_string(&file).expect("a source");
            for imported in imports(&text).filter(|imported| imported != module) {
                n_imports += 1;
                let is_right = column_of(imported).is_none_or(|of_imported| of_imported > column);
                assert!(is_right, "{} imports {imported}", file.display());
            }
        }
    }
    assert!(n_imports > 100, "{n_imports}");
}

/// The Rust files of a module that are not its tests.
fn files_of(src: &Path, module: &str) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![src.join(module)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            match path.file_stem().and_then(|stem| stem.to_str()) {
                Some("tests") => {}
                _ if path.is_dir() => folders.push(path),
                _ if path.extension().is_some_and(|extension| extension == "rs") => {
                    files.push(path)
                }
                _ => {}
            }
        }
    }
    files.extend(Some(src.join(module).with_extension("rs")).filter(|file| file.exists()));
    files
}

/// The modules of this crate that a file names outside of comments and of its tests.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let pieces = lines.flat_map(|line| line.split("crate::").skip(1));
    pieces.map(|piece| {
        piece
            .split(|c: char| !c.is_ascii_lowercase() && c != '_')
            .next()
            .unwrap_or_default()
    })
}
