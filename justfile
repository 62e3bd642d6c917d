# The one door. `just` alone lists the recipes.
#
# Which MPI: `just mpi=mpich5 test`, with openmpi4, openmpi5, mpich4, mpich5, impi, abi (one build for
# all that have the standard ABI of MPI 5), or auto (the one on PATH, else Debian's, else a wheel).
# `.ci/mpi` finds it or sets it up, and has all launcher environment.

set shell := ["bash", "-euo", "pipefail", "-c"]

mpi := env("ONESIDED_MPI_CHOICE", "auto")

# Of cargo, for `just test`.
options := ""

# Test programs that start no MPI job.
pure := "--lib --test batch --test benches --test compare --test export"

# An assignment of its own, so that a failing set-up stops the recipe.
environment := 'exports=$(.ci/mpi env ' + mpi + '); eval "$exports"'

_list:
    @just --list --unsorted

# The main job: play both versions with fast and slow ranks, record them, say what lockstep cost
demo: build
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    # The post's experiment, 1 s and 5 s more a rank, forty times faster.
    think="--think 25ms --think-per-rank 125ms --seed $RANDOM"
    onesided=$CARGO_TARGET_DIR/release/onesided
    runs=$CARGO_TARGET_DIR/demo
    for version in rma collective; do
        echo "mpirun -n 4 onesided play $version $think --trace $runs/$version --overwrite"
        timeout 60 "$MPIEXEC" -n 4 "$onesided" play $version $think --trace "$runs/$version" --overwrite --quiet
    done
    echo "onesided compare $runs/rma $runs/collective --html $runs/report.html"
    echo
    "$onesided" compare "$runs/rma" "$runs/collective" --html "$runs/report.html"

# The tests of a first look: what is pure, and jobs on one host; or those that arguments of `cargo test` name
test *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    # Most tests wait for a job that sleeps; tests/support/turn.rs has how many jobs go at once.
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
    runner=()
    case " {{ ARGS }} " in
    *" --test examples "*) cargo build --quiet --examples {{ options }} ;; # cargo builds them for a test of all alone
    esac
    if [ "$ONESIDED_MPI" = abi ]; then # what is built once runs with each library
        runner=(--config "target.'cfg(all())'.runner='$PWD/.ci/each-library'")
    fi
    tests() { cargo test {{ options }} "${runner[@]}" "$@"; }
    if [ -n "{{ ARGS }}" ]; then
        tests {{ ARGS }}
        exit
    fi
    pure=({{ pure }} --test without_mpi)
    tests --no-run "${pure[@]}" --test multi_rank --test end_to_end
    # Jobs mostly wait, those of end_to_end most of all: there is time to compute beside them.
    log=$(mktemp) code=0
    trap 'rm -f "$log"' EXIT
    (renice -n 10 $BASHPID >/dev/null && tests --no-fail-fast "${pure[@]}") >"$log" 2>&1 &
    tests --test end_to_end -- --skip doctor:: --skip batch:: --skip interrupted:: --skip survive:: || code=$?
    tests --test multi_rank || code=$?
    wait $! || code=$?
    cat "$log"
    exit $code

# All tests there are, on the MPI chosen
test-all:
    just mpi={{ mpi }} test --workspace --no-fail-fast

# `just test` with this crate as release builds of users have it: without overflow checks and debug assertions
unchecked *ARGS:
    just mpi={{ mpi }} options="{{ unchecked }}" test {{ ARGS }}

unchecked := "--config profile.dev.package.onesided.debug-assertions=false --config profile.dev.package.onesided.overflow-checks=false"

# Tests of reports in a browser, which need no MPI; `ONESIDED_LARGE=all just browser four_million` measures
browser *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    exports=$(.ci/browser env); eval "$exports"
    CARGO_TARGET_DIR=target/without-mpi cargo test --no-default-features --features cli --test browser -- {{ ARGS }}

# The picture of a report for README and docs, from the runs of the last `just demo`
picture:
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    export ONESIDED_PICTURE_OF=$CARGO_TARGET_DIR/demo/picture.html ONESIDED_PICTURE=$PWD/docs/charts/report.png
    # With paths as a user has them.
    (cd "$CARGO_TARGET_DIR/demo" && "$CARGO_TARGET_DIR/release/onesided" compare rma collective --html picture.html >/dev/null)
    just browser --ignored picture

# Kill jobs at random moments and go on with them: `just faults 200` is the campaign of docs/measurements/faults.md
faults RUNS="200":
    @{{ environment }}; ONESIDED_FAULTS={{ RUNS }} ONESIDED_FAULTS_SEED=${ONESIDED_FAULTS_SEED:-$RANDOM} cargo test --quiet --test faults

# Many recorded games with random think times, and every claim of them checked: `just soak 1000000 4`
soak GAMES="100000" RANKS="2" *ARGS: build
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    onesided=$CARGO_TARGET_DIR/release/onesided
    run=$CARGO_TARGET_DIR/soak
    rm -rf "$run" # its records take some gigabytes
    # 20 records a game and rank are enough for two ranks, and for more.
    timeout 3600 "$MPIEXEC" -n {{ RANKS }} "$onesided" play rma --games {{ GAMES }} --think exp:1us --think-by spin {{ ARGS }} \
        --trace "$run" --trace-records $(({{ GAMES }} * 48 + 1000)) --quiet
    report=$("$onesided" compare "$run" --format json --fail-if 'points != {{ GAMES }} * 9 or double_scores != 0 or
        order_violations != 0 or dropped_records != 0 or incomplete_ranks != 0')
    python3 <<<"$report" -c 'import json, sys
    run = json.load(sys.stdin)
    run = run.get("runs", [run])[0]
    ranks = run["per_rank"]
    print(run["setup"]["mpi_library"], run["setup"]["games"], "games,", sum(r["guesses"] for r in ranks), "guesses,",
          sum(r["points"] for r in ranks), "points,",
          run["order"]["n_claims"], "claims that are linearizable: no violation")'
    rm -rf "$run"

# Build the program; the last line says where it is
build:
    @{{ environment }}; cargo build --release --quiet; echo "$CARGO_TARGET_DIR/release/onesided, with $ONESIDED_MPI_VERSION"

# Start the program on N ranks: `just run 4 play rma --think exp:10ms`
run N *ARGS: build
    @{{ environment }}; "$MPIEXEC" -n {{ N }} "$CARGO_TARGET_DIR/release/onesided" {{ ARGS }}

# Start an example on N ranks: `just example queens 4`; also `golomb`, `costas` and `langford FILE`
example NAME N="4" *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    cargo build --release --quiet --example {{ NAME }}
    "$MPIEXEC" -n {{ N }} "$CARGO_TARGET_DIR/release/examples/{{ NAME }}" {{ ARGS }}

# The search of docs/claims.md, as printed there, in a crate of its own that depends on this one
user:
    @{{ environment }}; .ci/user

# Benchmarks beside their peers: `just bench claims` (a claim beside C), `just bench trace` (recording),
# `just bench shared` (beside threads), `just bench sweep` (very many items), `just bench growth` (by items),
# `just bench throughput` (claims per second of all ways to play; arguments such as --rounds 20)
bench NAME="claims" *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    results=$CARGO_TARGET_DIR/bench
    mkdir -p "$results"
    if [ -f bench/{{ NAME }}/peer.c ]; then
        "$MPICC" -O3 -shared -fPIC -Wall bench/{{ NAME }}/peer.c -o "$results/lib{{ NAME }}_peer.so"
    fi
    program=$(cargo build --release --quiet --bench {{ NAME }} --message-format=json-render-diagnostics |
        sed -n '/"kind":\["bench"\]/s/.*"executable":"\([^"]*\)".*/\1/p')
    started_by=(timeout 900 "$MPIEXEC" -n 2)
    case {{ NAME }} in
    trace) # a reader that is not to be had is not measured, and the benchmark says so
        exports=$(.ci/readers env || echo "echo 'no readers: peers are not measured'")
        eval "$exports"
        ;;
    two_tier | growth) # start jobs themselves: across hosts, of as many ranks as they like
        started_by=(timeout 3600)
        ;;
    throughput) # starts jobs itself, of as many ranks as it likes
        started_by=(timeout 3600)
        exports=$(.ci/peers env)
        eval "$exports"
        ;;
    esac
    "${started_by[@]}" env \
        ONESIDED_C_PEER="$results/lib{{ NAME }}_peer.so" \
        ONESIDED_BENCH_FOLDER="$results" \
        ONESIDED_BENCH_CSV="$results/{{ NAME }}-$(git rev-parse --short HEAD 2>/dev/null || echo unknown).csv" \
        "$program" {{ ARGS }}

# All tests on every library that is first-class, then the table of docs/mpi.md, what claims do on each
matrix: && matrix-table
    #!/usr/bin/env bash
    set -euo pipefail
    for mpi in openmpi4 openmpi5 mpich4 mpich5 abi; do
        echo "== $mpi"
        just mpi=$mpi test-all
    done

# The table of docs/mpi.md alone; as root, since it takes two hosts
matrix-table:
    #!/usr/bin/env bash
    set -euo pipefail
    for mpi in openmpi4 openmpi5 mpich4 mpich5; do
        echo "== $mpi"
        (exports=$(.ci/mpi env $mpi); eval "$exports"; .ci/matrix measure $mpi)
    done
    {{ environment }}; cargo build --release --quiet; .ci/matrix write openmpi4 openmpi5 mpich4 mpich5

# Print the environment that the recipes use: `eval "$(just env)"`
env:
    @.ci/mpi env {{ mpi }}

# What CI runs: lints, the build without MPI, and tests on two libraries, all to their end; then what failed
ci:
    .ci/gate

# What the gate leaves out, for HOURS: drawn, long, statistical and timed; seeds are printed
campaign HOURS="1":
    .ci/campaign {{ HOURS }}

# What is looked at before a release: the oldest Rust, advisories, memory, all tests on all libraries
# and in a clone that lies elsewhere
release-check: msrv && miri sanitize valgrind elsewhere matrix
    .ci/deny advisories
    .ci/docs builds

# All tests of what is committed, in a clone with blanks in its path of 100 characters, below /tmp and
# below a folder that others may not enter
elsewhere ARGS="--workspace":
    #!/usr/bin/env bash
    set -euo pipefail
    folder=$(mktemp -d /tmp/onesided-XXXXXX) # of mode 0700
    trap 'rm -rf "$folder"' EXIT
    clone="$folder/a clone with blanks in its path, at which no program, test or script may stumble, one"
    clone=${clone:0:91}/onesided
    git clone --quiet . "$clone"
    cd "$clone"
    env -u CARGO_TARGET_DIR just mpi={{ mpi }} test {{ ARGS }}

# The pages of docs/ as a book, by mdBook; the last line says where it is
book:
    @.ci/docs book

# Format, links and words of the pages, clippy with MPI and without, and docs, warnings denied
lint:
    cargo fmt --check
    .ci/docs check
    {{ environment }}; cargo clippy --all-targets --quiet -- -D warnings
    {{ environment }}; cargo clippy --all-targets --quiet --no-default-features --features cli -- -D warnings
    {{ environment }}; cargo clippy --quiet --no-default-features --features mpi -- -D warnings
    {{ environment }}; RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet

# Build and test what needs no MPI, with none in reach
without-mpi:
    #!/usr/bin/env bash
    set -euo pipefail
    # The folder is that of the build with MPI, whose dependencies are the same; a compiler of MPI there is none.
    {{ environment }}; export MPICC=/nonexistent/mpicc
    exports=$(.ci/browser env); eval "$exports"
    # What is pure, or reads and writes files, is tested in the build with MPI; `cargo test --no-default-features
    # --features cli` has all of it.
    cargo test --no-fail-fast --no-default-features --features cli --test without_mpi --test browser
    cargo test --no-default-features --features cli --test compare memory::
    if ldd "$CARGO_TARGET_DIR/debug/onesided" | grep -i mpi; then
        echo "the build without MPI links MPI" >&2
        exit 1
    fi

# Licences, sources and known advisories of all dependencies
deny:
    .ci/deny check

# Check that the oldest Rust that Cargo.toml names builds the library and the program, with MPI and without
msrv:
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    exports=$(.ci/rust env); eval "$exports"
    export CARGO_TARGET_DIR=target/oldest
    "$RUSTC" --version
    "$ONESIDED_OLDEST_CARGO" check --locked --quiet --lib --bins
    "$ONESIDED_OLDEST_CARGO" check --locked --quiet --lib --bins --no-default-features --features cli

# Run multi-rank tests under AddressSanitizer, all or those of a filter; see also `just valgrind` and `just miri`
sanitize *FILTER:
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    # Sanitizers are no stable option of the compiler, and its stable release has them all the same.
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" CARGO_TARGET_DIR=target/sanitize
    # What our own code leaks, whatever the library does: .ci/lsan.supp has the reasons.
    export ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$PWD/.ci/lsan.supp:print_suppressions=0
    target=$(rustc --print host-tuple)
    cargo test --locked --target "$target" --test multi_rank -- {{ FILTER }}

# Run multi-rank tests under valgrind's memcheck: `just valgrind progress::thread` (not games: the clock of
# rustix, by the vDSO, is where valgrind 3.19 has none)
valgrind FILTER="boards::bits::every_item":
    #!/usr/bin/env bash
    set -euo pipefail
    {{ environment }}
    command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
    # 9 is the exit code of a rank with an error; a job of such a rank fails, and so its test.
    export ONESIDED_RANKS_UNDER="valgrind --quiet --error-exitcode=9 --fair-sched=yes --leak-check=no --suppressions=$PWD/.ci/valgrind.supp"
    cargo test --locked --test multi_rank -- {{ FILTER }}

# Run what needs no MPI under Miri, a filter or its default
miri *FILTER:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo +nightly miri --version || { echo "there is no Miri here: rustup +nightly component add miri rust-src" >&2; exit 1; }
    filter=({{ FILTER }})
    # What starts processes, reads files or adds up millions of numbers is not for an interpreter.
    ((${#filter[@]})) || filter=(analysis::expression::tests analysis::order analysis::rounds
        trace::record trace::file think_time launch::template batch::choice
        --skip programs_are_found) # it asks the system, by a call that Miri has not
    export CARGO_TARGET_DIR=target/miri MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=${PROPTEST_CASES:-4}
    cargo +nightly miri test --locked --no-default-features --features cli --lib -- "${filter[@]}"
