use super::*;
use proptest::prelude::*;

const GIB: u64 = 1 << 30;

const MEMINFO: &str = "MemTotal:       24684092 kB\nMemFree:        20000000 kB\n\
                       MemAvailable:   23539600 kB\nSwapTotal:       2097152 kB\nSwapFree:        1048576 kB\n";

/// Paths and texts.
type Files<'a> = &'a [(&'a str, &'a str)];

fn reader(files: Files<'_>) -> impl Fn(&Path) -> Option<String> {
    let files: HashMap<PathBuf, String> = files
        .iter()
        .map(|(path, text)| (path.into(), (*text).into()))
        .collect();
    move |path: &Path| files.get(path).cloned()
}

fn groups_of(cgroup: &str, mountinfo: &str, files: Files<'_>) -> Vec<(String, u64)> {
    let no_swap = "SwapFree: 0 kB\n";
    let limits = cgroup_limits("cgroup:[1]", cgroup, mountinfo, no_swap, &reader(files));
    let named = limits.into_iter().map(|limit| match limit.limit {
        MemoryLimit::ControlGroup(directory) => (directory, limit.available_bytes),
        other => panic!("{other:?}"),
    });
    named.collect()
}

#[test]
fn memory_of_the_node_is_what_is_available_and_swap() {
    let limit = memory_limit(MEMINFO).unwrap();
    assert_eq!(limit.available_bytes, (23_539_600 + 1_048_576) * 1024);
    let old_kernel = MEMINFO.replace("MemAvailable", "MemOther");
    assert_eq!(memory_limit(&old_kernel), None);
    let without_swap = memory_limit("MemAvailable:\t7 kB").unwrap();
    assert_eq!(without_swap.available_bytes, 7 * 1024);
    for malformed in [
        "",
        "MemAvailable:",
        "MemAvailable: kB",
        "MemAvailable: -3 kB",
        "MemAvailable: 12 MB",
        "MemAvailable: 99999999999999999999 kB",
        "MemAvailable: 18446744073709551615 kB",
    ] {
        assert_eq!(memory_limit(malformed), None, "{malformed}");
    }
}

const MOUNT_V2: &str =
    "24 31 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

#[test]
fn limits_of_version_2_are_those_of_all_groups_outwards() {
    let files = [
        ("/sys/fs/cgroup/slurm/job_7/memory.max", "4294967296\n"),
        ("/sys/fs/cgroup/slurm/job_7/memory.current", "3221225472\n"),
        (
            "/sys/fs/cgroup/slurm/job_7/memory.stat",
            "anon 1000000000\nfile 700\ninactive_file 536870912\nactive_file 100\nslab_reclaimable 24\nshmem 5\n",
        ),
        ("/sys/fs/cgroup/slurm/job_7/step_0/memory.max", "max\n"),
        ("/sys/fs/cgroup/slurm/job_7/step_0/memory.current", "12\n"),
        ("/sys/fs/cgroup/slurm/memory.max", "8589934592\n"),
        ("/sys/fs/cgroup/slurm/memory.current", "9589934592\n"), // lowered since
    ];
    assert_eq!(
        groups_of("0::/slurm/job_7/step_0\n", MOUNT_V2, &files),
        [
            ("/sys/fs/cgroup/slurm/job_7".into(), GIB + GIB / 2 + 124),
            ("/sys/fs/cgroup/slurm".into(), 0)
        ]
    );
}

#[test]
fn swap_counts_as_far_as_the_group_may_use_it() {
    let group = |swap: &[(&str, &str)]| {
        let mut files = vec![
            ("/sys/fs/cgroup/memory.max", "1000"),
            ("/sys/fs/cgroup/memory.current", "400"),
        ];
        files.extend(swap);
        let limits = cgroup_limits("", "0::/", MOUNT_V2, "SwapFree: 1 kB", &reader(&files));
        limits[0].available_bytes
    };
    assert_eq!(group(&[]), 600 + 1024);
    let most = ("/sys/fs/cgroup/memory.swap.max", "500");
    let current = ("/sys/fs/cgroup/memory.swap.current", "100");
    assert_eq!(group(&[most, current]), 600 + 400);
    assert_eq!(
        group(&[("/sys/fs/cgroup/memory.swap.max", "max"), current]),
        600 + 1024
    );
}

const MOUNT_V1: &str = "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
                        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
                        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

#[test]
fn limits_of_version_1_count_swap_where_it_is_limited_too() {
    let cgroup = "4:memory:/job\n3:cpuset:/\n1:cpu,cpuacct:/\n0::/\n";
    let unlimited = "9223372036854771712\n";
    let mut files = vec![
        ("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "5000\n"),
        ("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "3000\n"),
        (
            "/sys/fs/cgroup/memory/job/memory.stat",
            "cache 9\ntotal_inactive_file 100\ntotal_active_file 10\n",
        ),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", unlimited),
        ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "4712\n"),
    ];
    let expected = [
        ("/sys/fs/cgroup/memory/job".to_owned(), 2110),
        ("/sys/fs/cgroup/memory".into(), (1 << 63) - 4096 - 4712),
    ];
    assert_eq!(groups_of(cgroup, MOUNT_V1, &files), expected);
    files.push((
        "/sys/fs/cgroup/memory/job/memory.memsw.limit_in_bytes",
        "5000",
    ));
    files.push((
        "/sys/fs/cgroup/memory/job/memory.memsw.usage_in_bytes",
        "3500",
    ));
    assert_eq!(groups_of(cgroup, MOUNT_V1, &files)[0].1, 1610);
}

#[test]
fn a_container_sees_its_own_group_where_the_mount_begins() {
    let mountinfo = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let files = [
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "100"),
        ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1"),
    ];
    let expected = [("/sys/fs/cgroup/memory".to_owned(), 99)];
    assert_eq!(
        groups_of("4:memory:/docker/abc", mountinfo, &files),
        expected
    );
    assert_eq!(
        groups_of("4:memory:/docker/abc/inner", mountinfo, &files),
        expected
    );
    // Another group, or one outside of the namespace, is not what is mounted.
    for elsewhere in ["4:memory:/docker/abcd", "4:memory:/", "4:memory:/../x"] {
        assert_eq!(groups_of(elsewhere, mountinfo, &files), []);
    }
}

#[test]
fn what_cannot_be_read_is_no_limit() {
    let max = ("/sys/fs/cgroup/memory.max", "100");
    let cases: [(&str, &str, Files<'_>); 7] = [
        ("", MOUNT_V2, &[max]),
        ("0::/", "", &[max]),
        ("0::/", MOUNT_V2, &[]),
        ("0::/", MOUNT_V2, &[max]),
        (
            "0::/",
            MOUNT_V2,
            &[
                ("/sys/fs/cgroup/memory.max", "much"),
                ("/sys/fs/cgroup/memory.current", "1"),
            ],
        ),
        (
            "0::/",
            MOUNT_V2,
            &[max, ("/sys/fs/cgroup/memory.current", "")],
        ),
        (
            "nonsense\n0:\n::\n0:memory",
            "a - b\n - cgroup2\n1 2 3 - cgroup2 x y\n- -",
            &[max],
        ),
    ];
    for (cgroup, mountinfo, files) in cases {
        assert_eq!(
            groups_of(cgroup, mountinfo, files),
            [],
            "{cgroup:?} {mountinfo:?} {files:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(
        text in "(0::|[0-9]:memory:|/| - cgroup2? |MemAvailable:|kB|[0-9a-f]{1,9}-|\\n|rw|[ -~]){0,40}",
        other in any::<String>(),
    ) {
        for (one, another) in [(&text, &text), (&text, &other), (&other, &text)] {
            let _ = memory_limit(one);
            let _ = mapping_at(one, another.len());
            let _ = cgroup_limits("", one, another, one, &|_| Some(one.clone()));
        }
    }
}

#[test]
fn the_file_behind_an_address_is_found() {
    let maps = "5598f2afa000-5598f2afb000 r-xp 00001000 fe:01 17 /opt/a b/program\n\
                7f1277a55000-7f127d9b4000 rw-s 00000000 00:1b 8                          /dev/shm/osc_sm.3 (deleted)\n\
                7f127d9b4000-7f127d9b5000 rw-p 00000000 00:00 0 \n\
                7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n";
    let at = |address| mapping_at(maps, address).map(|mapping| (mapping.device, mapping.file));
    let window = Some(((0, 0x1b), "/dev/shm/osc_sm.3".into()));
    assert_eq!(at(0x7f12_77a5_5000), window);
    assert_eq!(at(0x7f12_7d9b_3fff), window);
    assert_eq!(
        at(0x5598_f2af_a123),
        Some(((0xfe, 1), "/opt/a b/program".into()))
    );
    for nameless in [0x7f12_7d9b_4000, 0x7ffc_0000_0000, 0, usize::MAX] {
        assert_eq!(at(nameless), None, "{nameless:x}");
    }
}

fn limit(id: &str, limit: MemoryLimit, available_bytes: u64) -> Limit {
    Limit {
        id: id.into(),
        limit,
        available_bytes,
    }
}

#[test]
fn ranks_add_up_where_they_share_a_limit_and_only_there() {
    let group = |name: &str| MemoryLimit::ControlGroup(name.into());
    let demand = |window_bytes, private_bytes, own: &str| Demand {
        window_bytes,
        private_bytes,
        limits: vec![
            limit("memory", MemoryLimit::Node, 100),
            limit(own, group(own), 50),
            limit("device", MemoryLimit::FileSystem("/dev/shm".into()), 60),
        ],
    };
    let fits = [demand(30, 20, "a"), demand(30, 20, "b")];
    assert_eq!(shortage(&fits), None, "to the byte");
    assert_eq!(shortage(&[]), None);
    let short = |demands: &[Demand]| {
        let short = shortage(demands).unwrap();
        (
            short.limit,
            short.n_ranks,
            short.needed_bytes,
            short.available_bytes,
        )
    };
    let device = MemoryLimit::FileSystem("/dev/shm".into());
    assert_eq!(
        short(&[demand(31, 0, "a"), demand(30, 0, "b")]),
        (device, 2, 61, 60),
        "windows alone"
    );
    assert_eq!(
        short(&[demand(30, 21, "a"), demand(0, 0, "b")]),
        (group("a"), 1, 51, 50)
    );
    assert_eq!(
        short(&[demand(30, 0, "a"), demand(0, 21, "a")]),
        (group("a"), 2, 51, 50)
    );
    // All three are short; without memory, larger limits would be of no use.
    let all = [demand(1 << 60, 0, "a"), demand(u64::MAX, u64::MAX, "b")];
    assert_eq!(short(&all), (MemoryLimit::Node, 2, u64::MAX, 100));
}

#[test]
fn sizes_are_told_in_units_that_people_read() {
    let cases = [
        (0, "0.0 KiB"),
        (1536, "1.5 KiB"),
        (64 << 20, "64.0 MiB"),
        (GIB - 1, "1.0 GiB"),
        (100_000_000_000, "93.1 GiB"),
        (1 << 60, "1.0 EiB"),
        (u64::MAX, "16.0 EiB"),
    ];
    for (bytes, text) in cases {
        assert_eq!(Human(bytes).to_string(), text);
    }
}
