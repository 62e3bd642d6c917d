#!/bin/sh
# Plays launcher and job for the tests of batches: writes down what is started and what comes to its end,
# and prints the summary of a made-up game. Started as: launcher.sh RANKS PROGRAM play VERSION --KEY VALUE …
#
# FAKE_LOG      where it is written down
# FAKE_SLEEP    how long a game takes
# FAKE_FAIL     runs whose trace folder's path has this in it fail
# FAKE_HANG     those whose path has this hang, and will not end when asked
# FAKE_NOISE    a word that is printed before the summary
# FAKE_DIE      how often the launcher of each run dies or hangs by itself when all is played
# FAKE_DEATH    what it then does, such as `kill -SEGV $$`
ranks=$1 version=$4
shift 4
while [ $# -gt 0 ]; do
    case $1 in
    --digits) digits=$2 ;;
    --games) games=$2 ;;
    --seed) seed=$2 ;;
    --trace) trace=$2 ;;
    esac
    shift
done
run=${trace%/trace}
repetition=${run##*/}
cell=${run%/*}
name=${cell##*/}/$repetition
echo "start $name $seed" >>"$FAKE_LOG"
case ${FAKE_HANG:+$name} in
*${FAKE_HANG-}*)
    if [ -n "${FAKE_HANG-}" ]; then
        trap '' TERM
        echo "about to hang" >&2
        sleep 1000 &
        echo "child $!" >>"$FAKE_LOG"
        wait
    fi
    ;;
esac
[ -z "${FAKE_SLEEP-}" ] || sleep "$FAKE_SLEEP"
case $name in
*"${FAKE_FAIL:-nothing fails}"*)
    echo "it went wrong: <b>\"quoted\", and a comma" >&2
    exit 3
    ;;
esac
[ -z "${FAKE_NOISE-}" ] || echo "$FAKE_NOISE"
number=${repetition#0}
number=${number#0}
# The collective game takes twice as long, in every repetition.
case $version in
rma) wall=0.$((1000 + 10 * number)) rounds=null method='"fetch-and-op"' ;;
*) wall=0.$((2000 + 20 * number)) rounds=20 method=null ;;
esac
per_rank= rank=0
while [ $rank -lt "$ranks" ]; do
    points=0
    [ $rank -gt 0 ] || points=$((digits * games))
    per_rank="$per_rank${per_rank:+,}{\"rank\":$rank,\"host\":\"h\",\"guesses\":$((20 - points)),\"points\":$points,\
\"think_s\":0.05,\"operations\":20,\"operation_s\":0.01,\"play_s\":$wall}"
    rank=$((rank + 1))
done
echo "{\"format\":\"onesided-play/1\",\"onesided\":\"0.1.0\",\"version\":\"$version\",\"claim_with\":$method,\
\"ranks\":$ranks,\"digits\":$digits,\"games\":$games,\"seed\":$seed,\"think\":\"0\",\"mpi_library\":\"Fake MPI 1\",\
\"wall_s\":$wall,\"time_to_complete_s\":$wall,\"points_total\":$((digits * games)),\"double_scores\":0,\
\"rounds\":$rounds,\"per_rank\":[$per_rank]}"
echo "end $name $seed" >>"$FAKE_LOG"
if [ "$(grep -c "^end $name " "$FAKE_LOG")" -le "${FAKE_DIE:-0}" ]; then
    eval "$FAKE_DEATH"
fi
