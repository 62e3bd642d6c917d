/* The game with a manager: rank 0 decides what all others ask it, by messages.
 *
 * Arguments: highest digit, number of games, seed. Rank 0 prints one line of JSON.
 *
 * A worker sends a guess and is answered whether it has scored, and with all that is claimed, so that it
 * knows when the game is over. A game ends for the manager when it has told all workers so. */
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORD_BITS = 64, TAG_GUESS = 1, TAG_ANSWER = 2, MANAGER = 0 };

/* An answer is one word that says whether the guess has scored, and the words of what is claimed. */
enum { SCORED = 0, CLAIMED = 1 };

static void check(int code, const char *call) {
    if (code == MPI_SUCCESS)
        return;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    MPI_Error_string(code, text, &length);
    fprintf(stderr, "manager_worker: %s: %s\n", call, text);
    MPI_Abort(MPI_COMM_WORLD, 1);
    exit(1);
}
#define CHECKED(call, arguments) check(call arguments, #call)

static void *zeroed(size_t n, size_t size) {
    void *memory = calloc(n, size);
    if (memory == NULL) {
        fputs("manager_worker: out of memory\n", stderr);
        MPI_Abort(MPI_COMM_WORLD, 1);
        exit(1);
    }
    return memory;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_state;
static uint64_t draw(void) {
    uint64_t bits = random_state += 0x9e3779b97f4a7c15u;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

static int rank, n_ranks, n_digits, n_words;

static int n_claimed_of(const uint64_t *words) {
    int n = 0;
    for (int i = 0; i < n_words; i++)
        n += __builtin_popcountll(words[i]);
    return n;
}

/* Answers guesses until all workers know that all is claimed. */
static void manage(uint64_t *answer) {
    uint64_t *claimed = answer + CLAIMED;
    int n_claimed = 0, n_playing = n_ranks - 1;
    memset(claimed, 0, n_words * sizeof *claimed);
    while (n_playing > 0) {
        int guess;
        MPI_Status status;
        CHECKED(MPI_Recv, (&guess, 1, MPI_INT, MPI_ANY_SOURCE, TAG_GUESS, MPI_COMM_WORLD, &status));
        answer[SCORED] = 0;
        if (guess > 0) {
            uint64_t *word = claimed + (guess - 1) / WORD_BITS, bit = (uint64_t)1 << (guess - 1) % WORD_BITS;
            answer[SCORED] = !(*word & bit);
            n_claimed += !(*word & bit);
            *word |= bit;
        }
        n_playing -= n_claimed == n_digits;
        CHECKED(MPI_Send, (answer, CLAIMED + n_words, MPI_UINT64_T, status.MPI_SOURCE, TAG_ANSWER, MPI_COMM_WORLD));
    }
}

/* Guesses until all is claimed; how often, and in `won` the digits that it scored. */
static uint64_t work(uint64_t *answer, uint64_t *won, uint64_t *points) {
    uint64_t guesses = 0;
    do {
        int guess = (int)((draw() >> 32) * (uint64_t)(n_digits + 1) >> 32);
        guesses++;
        CHECKED(MPI_Send, (&guess, 1, MPI_INT, MANAGER, TAG_GUESS, MPI_COMM_WORLD));
        CHECKED(MPI_Recv, (answer, CLAIMED + n_words, MPI_UINT64_T, MANAGER, TAG_ANSWER, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        if (answer[SCORED]) {
            won[(guess - 1) / WORD_BITS] |= (uint64_t)1 << (guess - 1) % WORD_BITS;
            ++*points;
        }
    } while (n_claimed_of(answer + CLAIMED) < n_digits);
    return guesses;
}

static void print_list(const char *name, const uint64_t *values) {
    printf("\"%s\": [", name);
    for (int i = 0; i < n_ranks; i++)
        printf("%s%" PRIu64, i ? ", " : "", values[i]);
    printf("], ");
}

int main(int argc, char **argv) {
    check(MPI_Init(&argc, &argv), "MPI_Init");
    CHECKED(MPI_Comm_set_errhandler, (MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    CHECKED(MPI_Comm_rank, (MPI_COMM_WORLD, &rank));
    CHECKED(MPI_Comm_size, (MPI_COMM_WORLD, &n_ranks));
    int n_games = argc == 4 ? atoi(argv[2]) : 0;
    n_digits = argc == 4 ? atoi(argv[1]) : 0;
    if (n_games < 1 || n_digits < 1 || n_ranks < 2) {
        fputs("usage: manager_worker DIGITS GAMES SEED, on two ranks or more\n", stderr);
        MPI_Abort(MPI_COMM_WORLD, 2);
        return 2;
    }
    n_words = (n_digits + WORD_BITS - 1) / WORD_BITS;
    random_state = strtoull(argv[3], NULL, 10) * 1000003u + (uint64_t)rank * 0x632be59bd9b4e019u;

    uint64_t *answer = zeroed(CLAIMED + n_words, sizeof *answer);
    uint64_t *won = zeroed((size_t)n_games * n_words, sizeof *won);
    uint64_t *play_ns = zeroed(n_games, sizeof *play_ns);
    uint64_t *points_of = zeroed(n_games, sizeof *points_of); /* of each game */
    uint64_t guesses = 0, points = 0;
    for (int game = 0; game < n_games; game++) {
        CHECKED(MPI_Barrier, (MPI_COMM_WORLD));
        uint64_t start = now_ns();
        if (rank == MANAGER)
            manage(answer);
        else
            guesses += work(answer, won + (size_t)game * n_words, points_of + game);
        play_ns[game] = now_ns() - start;
        points += points_of[game];
    }

    uint64_t *all_guesses = zeroed(n_ranks, sizeof *all_guesses), *all_points = zeroed(n_ranks, sizeof *all_points);
    CHECKED(MPI_Gather, (&guesses, 1, MPI_UINT64_T, all_guesses, 1, MPI_UINT64_T, MANAGER, MPI_COMM_WORLD));
    CHECKED(MPI_Gather, (&points, 1, MPI_UINT64_T, all_points, 1, MPI_UINT64_T, MANAGER, MPI_COMM_WORLD));
    uint64_t *longest_ns = zeroed(n_games, sizeof *longest_ns), *points_sum = zeroed(n_games, sizeof *points_sum);
    uint64_t *all_won = zeroed((size_t)n_games * n_words, sizeof *all_won);
    CHECKED(MPI_Reduce, (play_ns, longest_ns, n_games, MPI_UINT64_T, MPI_MAX, MANAGER, MPI_COMM_WORLD));
    CHECKED(MPI_Reduce, (points_of, points_sum, n_games, MPI_UINT64_T, MPI_SUM, MANAGER, MPI_COMM_WORLD));
    CHECKED(MPI_Reduce, (won, all_won, n_games * n_words, MPI_UINT64_T, MPI_BOR, MANAGER, MPI_COMM_WORLD));

    if (rank == MANAGER) {
        uint64_t sum_ns = 0;
        for (int game = 0; game < n_games; game++)
            sum_ns += longest_ns[game];
        printf("{\"play_s\": %.9f, ", (double)sum_ns / 1e9);
        print_list("guesses", all_guesses);
        print_list("points", all_points);
        /* Points, different digits, and how many games in a row had so many. */
        printf("\"outcomes\": [");
        for (int game = 0, first = 0; game < n_games; game++) {
            int digits = n_claimed_of(all_won + (size_t)game * n_words);
            int is_last = game + 1 == n_games || points_sum[game + 1] != points_sum[game] ||
                          n_claimed_of(all_won + (size_t)(game + 1) * n_words) != digits;
            if (is_last) {
                printf("%s[%" PRIu64 ", %d, %d]", first ? ", " : "", points_sum[game], digits, game + 1 - first);
                first = game + 1;
            }
        }
        printf("]}\n");
    }
    CHECKED(MPI_Finalize, ());
    return 0;
}
