use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::replace::{N_STEPS, previous_of};
use super::*;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("file");
    (folder, path)
}

fn writer(path: &Path, meta: &str, words: &[u64]) -> Writer {
    let mut writer = Writer::create(path, &meta, words.len() as u64).unwrap();
    writer.words(words).unwrap();
    writer
}

fn write(path: &Path, meta: &str, words: &[u64]) {
    writer(path, meta, words).commit().unwrap();
}

fn read(path: &Path) -> Result<(String, Vec<u64>), String> {
    let reader = Reader::open(path)?;
    let mut words = Vec::new();
    reader.for_each_piece(|first_index, piece| {
        assert_eq!(first_index, words.len() as u64);
        words.extend(piece);
    })?;
    assert_eq!(reader.n_words(), words.len() as u64);
    Ok((reader.meta()?, words))
}

fn names(folder: &TempDir) -> Vec<OsString> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

fn refusal(path: &Path) -> String {
    let why = read(path).unwrap_err();
    assert_eq!(why.lines().count(), 1, "{why}");
    assert!(why.starts_with(&format!("{}: ", path.display())), "{why}");
    why
}

/// So many words that there are several pieces, and the last is not full.
const MANY: usize = 2 * PIECE_WORDS + 7;

proptest! {
    #[test]
    fn what_was_written_is_read(
        meta in ".*",
        words in proptest::collection::vec(any::<u64>(), 0..200),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let (_folder, path) = folder();
        let mut writer = Writer::create(&path, &meta, words.len() as u64).unwrap();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(words.len() + 1)).collect();
        cuts.sort();
        let mut from = 0;
        for to in cuts.into_iter().chain([words.len()]) {
            writer.words(&words[from..to]).unwrap();
            from = to;
        }
        writer.commit().unwrap();
        prop_assert_eq!(read(&path).unwrap(), (meta, words));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (_folder, path) = folder();
        fs::write(&path, bytes).unwrap();
        refusal(&path);
    }

    /// The same behind a header whose own CRC is right, so that what it says is believed for the moment.
    #[test]
    fn no_header_makes_the_reader_panic_or_allocate(
        n_words: u64, meta_bytes: u64, meta_crc: u32, few in 0u64..100, which in 0..4,
        rest in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let (n_words, meta_bytes) = match which {
            0 => (n_words, meta_bytes),
            1 => (few, meta_bytes),
            2 => (n_words, few),
            _ => (few, few),
        };
        let header = format::Header { n_words, meta_bytes, meta_crc };
        let (_folder, path) = folder();
        fs::write(&path, [&header.to_bytes()[..], &rest].concat()).unwrap();
        refusal(&path);
    }
}

#[test]
fn pieces_are_read_in_order_and_in_bounded_memory() {
    let (_folder, path) = folder();
    let words: Vec<u64> = (0..MANY as u64).map(|i| i * i).collect();
    let mut writer = Writer::create(&path, &"", MANY as u64).unwrap();
    for words in words.chunks(1000) {
        writer.words(words).unwrap();
    }
    writer.set_meta(&"known at the end").unwrap();
    writer.commit().unwrap();
    assert_eq!(read(&path).unwrap(), ("known at the end".into(), words));
    let reader = Reader::open(&path).unwrap();
    let mut lengths = Vec::new();
    (reader.for_each_piece(|_, piece| lengths.push(piece.len()))).unwrap();
    assert_eq!(lengths, [PIECE_WORDS, PIECE_WORDS, 7]);
}

#[test]
fn every_flipped_bit_and_every_other_length_is_refused() {
    let (_folder, path) = folder();
    write(
        &path,
        "a document",
        &[1, u64::MAX, 0, 0x1234_5678_9abc_def0],
    );
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), 48 + 12 + 4 * 8 + 4);
    for bit in 0..8 * whole.len() {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        refusal(&path);
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        refusal(&path);
    }
    for more in [1, 8, 12, 4096] {
        fs::write(&path, [&whole[..], &vec![0; more]].concat()).unwrap();
        assert!(refusal(&path).contains("too long"));
    }
    fs::write(&path, &whole).unwrap();
    read(&path).unwrap();
}

#[test]
fn pieces_that_changed_places_are_refused() {
    let (_folder, path) = folder();
    let words: Vec<u64> = (0..2 * PIECE_WORDS as u64).collect();
    write(&path, "", &words);
    let bytes = fs::read(&path).unwrap();
    let (head, rest) = bytes.split_at(48);
    let (pieces, document) = rest.split_at(rest.len() - 2);
    let (first, second) = pieces.split_at(pieces.len() / 2);
    fs::write(&path, [head, second, first, document].concat()).unwrap();
    assert!(refusal(&path).contains("words from 0 on are corrupt"));
}

#[test]
fn refusals_say_what_the_file_is() {
    let (folder, path) = folder();
    assert!(refusal(&path).contains("No such file"));
    fs::write(&path, "PK and so on, and so on").unwrap();
    assert!(refusal(&path).ends_with("it is no checkpoint of onesided"));
    fs::write(&path, "").unwrap();
    assert!(refusal(&path).ends_with("it is no checkpoint of onesided"));
    fs::write(&path, "onesided check").unwrap();
    assert!(refusal(&path).ends_with("it was cut short within its header"));

    write(&path, "of words", &[1, 2, 3]);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&7u32.to_le_bytes(), 20).unwrap();
    assert!(refusal(&path).contains("format version 7, and this program reads version 1"));
    fs::remove_file(&path).unwrap();
    write(&path, "of words", &[1, 2, 3]);
    let why = Reader::open(&path).unwrap().meta::<u64>().unwrap_err();
    assert!(why.contains("its document: invalid type"), "{why}");

    // Neither waits for somebody to write, nor reads what never ends.
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
        assert!(refusal(path).ends_with("it is no file, so no checkpoint of onesided"));
    }
    assert!(Writer::create(&pipe, &"", 0).is_err());
    assert!(Writer::create(folder.path(), &"", 0).is_err());
    assert!(Writer::create(Path::new("/dev/full"), &"", 0).is_err());
}

#[test]
fn a_document_or_a_number_of_words_that_is_absurd_is_refused_by_either_side() {
    let (folder, path) = folder();
    let long = "x".repeat(MAX_META_BYTES);
    assert!(Writer::create(&path, &long, 0).is_err());
    assert!(Writer::create(&path, &"", u64::MAX / 8).is_err());
    assert_eq!(names(&folder), [""; 0]);

    let mut header = format::Header::of(b"", u64::MAX);
    fs::write(&path, header.to_bytes()).unwrap();
    assert!(refusal(&path).contains("more than any file can"));
    header = format::Header::of(b"", 1 << 40);
    fs::write(&path, header.to_bytes()).unwrap();
    assert!(refusal(&path).contains("cut short"));
    header.meta_bytes = 1 << 40;
    fs::write(&path, header.to_bytes()).unwrap();
    assert!(refusal(&path).contains("its document has 1099511627776 bytes"));
}

#[test]
fn what_is_not_committed_leaves_nothing_behind() {
    let (folder, path) = folder();
    write(&path, "old", &[1]);
    drop(writer(&path, "new", &[2]));
    assert!(
        Writer::create(&path, &"too few", 3)
            .unwrap()
            .commit()
            .is_err()
    );
    let mut too_many = Writer::create(&path, &"too many", 1).unwrap();
    assert!(too_many.words(&[2, 3]).is_err());
    assert!(too_many.commit().is_err());
    assert_eq!(names(&folder), ["file"]);
    assert_eq!(read(&path).unwrap(), ("old".into(), vec![1]));
}

#[test]
fn the_one_before_is_kept_and_named_where_it_can_help() {
    let (folder, path) = folder();
    write(&path, "first", &[1]);
    write(&path, "second", &[2, 2]);
    write(&path, "third", &[3, 3, 3]);
    assert_eq!(names(&folder), ["file", "file.previous"]);
    let previous = previous_of(&path);
    assert_eq!(read(&previous).unwrap(), ("second".into(), vec![2, 2]));

    let cut = |path: &Path| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(55).unwrap();
    };
    cut(&path);
    let why = refusal(&path);
    let advice = format!("; {} is whole: resume from that", previous.display());
    assert!(why.ends_with(&advice), "{why}");
    cut(&previous);
    assert!(!refusal(&path).contains("previous"));
}

/// In each folder that a killed writer can leave, the file is whole, the next one replaces it, and nothing of the
/// first is left.
#[test]
fn a_writer_may_be_killed_between_any_two_steps() {
    for existing in 0..3 {
        for n_steps in 0..=N_STEPS {
            let (folder, path) = folder();
            for i in 0..existing {
                write(&path, "old", &[i]);
            }
            let new = writer(&path, "new", &[9]);
            new.commit_and_be_killed_after(n_steps).unwrap();
            let case = format!("{existing} files, killed after step {n_steps}");
            match read(&path) {
                Ok((meta, words)) if meta == "old" => assert_eq!(words, [existing - 1], "{case}"),
                Ok((meta, words)) => assert_eq!((&*meta, &*words), ("new", &[9][..]), "{case}"),
                Err(why) => assert!(
                    existing == 0 && why.contains("No such file"),
                    "{case}: {why}"
                ),
            }
            if existing > 0 {
                let previous = read(&previous_of(&path));
                assert!(existing == 1 || previous.is_ok(), "{case}: {previous:?}");
            }
            write(&path, "next", &[10]);
            assert_eq!(read(&path).unwrap().1, [10], "{case}");
            let had_one = existing > 0 || n_steps >= N_STEPS - 1;
            let all: &[&str] = match had_one {
                true => &["file", "file.previous"],
                false => &["file"],
            };
            assert_eq!(names(&folder), all, "{case}");
        }
    }
}

#[test]
fn a_live_writers_file_and_other_files_are_left_alone() {
    let (folder, path) = folder();
    let others = [
        ".file.part",
        ".file.1-x.part",
        ".other.1-1.part",
        ".file.1-1.part.more",
        "file.1-1.part",
    ];
    for name in others {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let target = folder.path().join("target");
    fs::write(&target, "").unwrap();
    symlink(&target, folder.path().join(".file.5-5.part")).unwrap();
    let live = writer(&path, "live", &[1]);
    fs::write(folder.path().join(".file.1-1.part"), "left").unwrap();
    fs::write(folder.path().join(".file.1-1.part.previous.part"), "left").unwrap();
    write(&path, "second", &[2]);
    assert!(!folder.path().join(".file.1-1.part").exists());
    assert!(!folder.path().join(".file.1-1.part.previous.part").exists());
    live.commit().unwrap();
    assert_eq!(read(&path).unwrap().0, "live");
    assert_eq!(read(&previous_of(&path)).unwrap().0, "second");
    // Those six, the link's target, and the two.
    assert_eq!(names(&folder).len(), others.len() + 2 + 2);
}

#[test]
fn names_that_are_taken_are_passed_over_and_not_followed() {
    let (folder, path) = folder();
    let target = folder.path().join("target");
    fs::write(&target, "not to be touched").unwrap();
    // The names of the next writers of this process, whatever their numbers are by now.
    for n in 0..900 {
        let part = format!(".file.{}-{n}.part", std::process::id());
        symlink(&target, folder.path().join(part)).unwrap();
    }
    write(&path, "new", &[1]);
    assert_eq!(read(&path).unwrap().1, [1]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "not to be touched");
}

#[test]
fn links_are_followed_and_permissions_kept() {
    let (folder, path) = folder();
    let (link, dangling) = (folder.path().join("link"), folder.path().join("dangling"));
    symlink("file", &link).unwrap();
    symlink("link", &dangling).unwrap();
    write(&dangling, "through two links to no file", &[1]);
    assert_eq!(read(&path).unwrap().1, [1]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    write(&link, "new", &[2]);
    assert_eq!(read(&path).unwrap().1, [2]);
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("file"));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);

    let round = folder.path().join("round");
    symlink("round", &round).unwrap();
    assert!(Writer::create(&round, &"", 0).is_err());
}

#[test]
fn a_link_of_another_user_in_a_folder_that_all_may_write_to_is_refused() {
    let (folder, _) = folder();
    let victim = folder.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    let link = shared.join("link");
    symlink(&victim, &link).unwrap();
    drop(Writer::create(&link, &"", 0).unwrap()); // one's own
    const NOBODY: u32 = 65534;
    if std::os::unix::fs::lchown(&link, Some(NOBODY), None).is_err() {
        let forbidden = std::env::var("ONESIDED_SKIP").as_deref() == Ok("forbidden");
        assert!(
            !forbidden,
            "not to be skipped: giving a file to somebody else"
        );
        println!("SKIPPED: giving a file to somebody else is for root");
        return;
    }
    let why = Writer::create(&link, &"", 0).unwrap_err().to_string();
    assert!(why.contains("another user"), "{why}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
}

#[test]
fn readers_see_the_old_one_or_the_new_one_while_it_is_replaced() {
    const N_CHECKPOINTS: u64 = 8;
    const WORDS: usize = PIECE_WORDS + 100;
    let (_folder, path) = folder();
    write(&path, "0", &[0; WORDS]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut last, mut n_read) = (0, 0);
                while !done.load(Ordering::Relaxed) || n_read == 0 {
                    let (meta, words) = read(&path).unwrap();
                    let number: u64 = meta.parse().unwrap();
                    assert!(number >= last && words == [number; WORDS]);
                    (last, n_read) = (number, n_read + 1);
                }
            });
        }
        for number in 1..=N_CHECKPOINTS {
            write(&path, &number.to_string(), &[number; WORDS]);
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// The child of the test below: writes more than it may.
#[test]
fn a_file_that_may_not_grow() {
    let Some(folder) = std::env::var_os("ONESIDED_TEST_LIMITED") else {
        return; // nobody's child
    };
    let path = Path::new(&folder).join("file");
    let mut writer = Writer::create(&path, &"new", MANY as u64).unwrap();
    let limit = (0..MANY / 1000).try_for_each(|_| writer.words(&[0; 1000]));
    let limit = limit.unwrap_err();
    assert_eq!(limit.kind(), std::io::ErrorKind::FileTooLarge);
    let rest = vec![0; MANY - MANY / 1000 * 1000];
    let _ = writer.words(&rest);
    assert!(writer.commit().is_err());
}

#[test]
fn where_there_is_no_room_the_old_one_stays() {
    let (folder, path) = folder();
    write(&path, "old", &[1]);
    let limited = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\""; // 512 KiB
    let child = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "checkpoint::tests::a_file_that_may_not_grow"])
        .env("ONESIDED_TEST_LIMITED", folder.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
    assert_eq!(names(&folder), ["file"]);
    assert_eq!(read(&path).unwrap(), ("old".into(), vec![1]));
}

/// Whoever comes last is there, and whole at all times; nobody fails for the others' sake.
#[test]
fn several_writers_of_one_file_all_succeed() {
    let (folder, path) = folder();
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let path = &path;
            scope.spawn(move || {
                for n in 0..100 {
                    write(path, &format!("{:?}", [writer, n]), &[writer, n]);
                    let (meta, words) = read(path).unwrap();
                    assert_eq!(meta, format!("{words:?}"));
                }
            });
        }
    });
    assert_eq!(names(&folder), ["file", "file.previous"]);
}
