#include "debugshell/top_screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "debugshell/clock.h"

#define ESC   "\033"
#define ENTER ESC "[?1049h" ESC "[?25l" ESC "[?7l" // other screen, no cursor, no wrapping
#define LEAVE ESC "[0m" ESC "[?7h" ESC "[?25h" ESC "[?1049l"

enum { ROWS_DEFAULT = 24, COLUMNS_DEFAULT = 80, SIZE_MAX_CHARACTERS = 1000, KEYS_SIZE = 64 };

struct top_screen {
	struct termios before;
	sigset_t mask_before;
	int signal_fd;
	int stderr_fd; // the one that was; -1: it was not taken
	int signal;    // that ended the screen, 0: none
	bool is_taken; // the terminal is ours at the moment
	unsigned rows;
	unsigned columns;

	// What is drawn: the whole text, and where in it we are.
	FILE *drawing;
	char *text;
	size_t text_size;
	unsigned row;
	unsigned column;

	// Bytes of keys that were read and not looked at.
	char keys[KEYS_SIZE];
	unsigned n_keys;
};

static int block_signals(struct top_screen *s);
static void take_stderr(struct top_screen *s);
static int take(struct top_screen *s);
static void give_back(struct top_screen *s);
static void measure(struct top_screen *s);
static int write_all(const char *text, size_t size);
static int take_key(struct top_screen *s);
static unsigned escape_size(const struct top_screen *s);
static int escape_key(const char *keys, unsigned size);
static void drop_keys(struct top_screen *s, unsigned n);
static int read_keys(struct top_screen *s);
static int read_signal(struct top_screen *s);
static void stop(struct top_screen *s);

bool top_screen_possible(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term != NULL &&
	       strcmp(term, "dumb") != 0 && term[0] != '\0';
}

int top_screen_open(struct top_screen **ret, struct why *why)
{
	struct top_screen *s = calloc(1, sizeof(*s));
	int err = 0;

	if (s == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	s->signal_fd = -1;
	s->stderr_fd = -1;
	if (tcgetattr(STDIN_FILENO, &s->before) != 0) {
		err = why_set(why, -errno, "the terminal cannot be asked: %s", strerror(errno));
		free(s);
		return err;
	}
	fflush(stdout);
	err = block_signals(s);
	take_stderr(s);
	if (err == 0)
		err = take(s);
	if (err != 0) {
		why_set(why, err, "the terminal cannot be taken: %s", strerror(-err));
		top_screen_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

void top_screen_close(struct top_screen *s)
{
	int signal;

	if (s == NULL)
		return;
	give_back(s);
	if (s->stderr_fd >= 0) {
		dup2(s->stderr_fd, STDERR_FILENO);
		close(s->stderr_fd);
	}
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->drawing != NULL)
		fclose(s->drawing);
	free(s->text);
	sigprocmask(SIG_SETMASK, &s->mask_before, NULL);
	signal = s->signal;
	free(s);
	if (signal != 0)
		raise(signal);
}

unsigned top_screen_rows(const struct top_screen *s)
{
	return s->rows;
}

unsigned top_screen_columns(const struct top_screen *s)
{
	return s->columns;
}

void top_screen_begin(struct top_screen *s)
{
	s->drawing = open_memstream(&s->text, &s->text_size);
	s->row = 0;
	s->column = 0;
	if (s->drawing != NULL)
		fputs(ESC "[H", s->drawing);
}

void top_screen_put(struct top_screen *s, enum top_style style, const char *text)
{
	static const char *const codes[] = {
		[TOP_PLAIN] = "", [TOP_BOLD] = ESC "[1m", [TOP_REVERSE] = ESC "[7m"};
	size_t size = 0;

	if (s->drawing == NULL || s->row >= s->rows)
		return;
	// A character is a byte that does not go on another one.
	for (; text[size] != '\0'; size++) {
		if (((unsigned char)text[size] & 0xc0) == 0x80)
			continue;
		if (s->column == s->columns)
			break;
		s->column++;
	}
	fprintf(s->drawing, "%s%.*s%s", codes[style], (int)size, text,
		style == TOP_PLAIN ? "" : ESC "[0m");
}

void top_screen_line_end(struct top_screen *s)
{
	if (s->drawing == NULL || s->row >= s->rows)
		return;
	// Behind the last column the cursor stands on it still, and would erase it.
	if (s->column < s->columns)
		fputs(ESC "[K", s->drawing);
	s->row++;
	s->column = 0;
	if (s->row < s->rows)
		fprintf(s->drawing, ESC "[%u;1H", s->row + 1);
}

int top_screen_end(struct top_screen *s)
{
	int err = -ENOMEM;

	if (s->drawing != NULL) {
		if (s->row < s->rows)
			fputs(ESC "[J", s->drawing);
		err = fclose(s->drawing) == 0 ? write_all(s->text, s->text_size) : -ENOMEM;
	}
	s->drawing = NULL;
	free(s->text);
	s->text = NULL;
	return err;
}

int top_screen_key(struct top_screen *s, double seconds)
{
	double end = clock_monotonic_s() + seconds;

	for (;;) {
		struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
				       {.fd = STDIN_FILENO, .events = POLLIN}};
		double left = end - clock_monotonic_s();
		int key = take_key(s);
		int n;

		if (key != TOP_KEY_NONE)
			return key;
		n = poll(fds, 2, left > 0 ? (int)(left * 1e3) + 1 : 0);
		if (n < 0 && errno != EINTR)
			return TOP_KEY_END;
		if (n == 0 && clock_monotonic_s() >= end)
			return TOP_KEY_NONE;
		if (n > 0 && fds[0].revents != 0)
			return read_signal(s);
		if (n > 0 && read_keys(s) != 0)
			return TOP_KEY_END;
	}
}

static int block_signals(struct top_screen *s)
{
	static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, &s->mask_before);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? -errno : 0;
}

// If it is the terminal too; a file may have what is said.
static void take_stderr(struct top_screen *s)
{
	int null;

	if (!isatty(STDERR_FILENO))
		return;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0)
		return;
	s->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (s->stderr_fd >= 0)
		dup2(null, STDERR_FILENO);
	close(null);
}

// Ctrl-C and Ctrl-Z stay signals.
static int take(struct top_screen *s)
{
	struct termios raw = s->before;

	raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IXON);
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
		return -errno;
	s->is_taken = true;
	measure(s);
	return write_all(ENTER, strlen(ENTER));
}

static void give_back(struct top_screen *s)
{
	if (!s->is_taken)
		return;
	write_all(LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
	s->is_taken = false;
}

static void measure(struct top_screen *s)
{
	struct winsize size = {0};

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	s->rows = size.ws_row > 0 ? size.ws_row : ROWS_DEFAULT;
	s->columns = size.ws_col > 0 ? size.ws_col : COLUMNS_DEFAULT;
	if (s->rows > SIZE_MAX_CHARACTERS)
		s->rows = SIZE_MAX_CHARACTERS;
	if (s->columns > SIZE_MAX_CHARACTERS)
		s->columns = SIZE_MAX_CHARACTERS;
}

static int write_all(const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

// From those that were read; TOP_KEY_NONE: they hold none, or not the whole of one.
static int take_key(struct top_screen *s)
{
	while (s->n_keys > 0) {
		char keys[KEYS_SIZE];
		unsigned size;

		memcpy(keys, s->keys, sizeof(keys));
		if (keys[0] != '\033') {
			drop_keys(s, 1);
			return (unsigned char)keys[0];
		}
		size = escape_size(s);
		if (size == 0)
			return TOP_KEY_NONE;
		drop_keys(s, size);
		if (escape_key(keys, size) != TOP_KEY_NONE)
			return escape_key(keys, size);
	}
	return TOP_KEY_NONE;
}

// Bytes of the sequence that the keys begin with: ESC [ ... letter, ESC O letter; ESC alone when
// something else follows. 0: more has to come.
static unsigned escape_size(const struct top_screen *s)
{
	unsigned size = 2;

	if (s->n_keys < 2)
		return 0;
	if (s->keys[1] == 'O')
		return s->n_keys < 3 ? 0 : 3;
	if (s->keys[1] != '[')
		return 1;
	while (size < s->n_keys && (s->keys[size] < '@' || s->keys[size] > '~'))
		size++;
	if (size < s->n_keys)
		return size + 1;
	return s->n_keys == KEYS_SIZE ? KEYS_SIZE : 0;
}

static int escape_key(const char *keys, unsigned size)
{
	char last = keys[size - 1];

	if (size == 4 && last == '~') {
		switch (keys[2]) {
		case '1':
		case '7':
			return TOP_KEY_FIRST;
		case '4':
		case '8':
			return TOP_KEY_LAST;
		case '5':
			return TOP_KEY_PAGE_UP;
		case '6':
			return TOP_KEY_PAGE_DOWN;
		default:
			return TOP_KEY_NONE;
		}
	}
	switch (size == 3 ? last : '\0') {
	case 'A':
		return TOP_KEY_UP;
	case 'B':
		return TOP_KEY_DOWN;
	case 'C':
		return TOP_KEY_RIGHT;
	case 'D':
		return TOP_KEY_LEFT;
	case 'H':
		return TOP_KEY_FIRST;
	case 'F':
		return TOP_KEY_LAST;
	default:
		return TOP_KEY_NONE;
	}
}

static void drop_keys(struct top_screen *s, unsigned n)
{
	s->n_keys -= n;
	memmove(s->keys, s->keys + n, s->n_keys);
}

static int read_keys(struct top_screen *s)
{
	ssize_t n = read(STDIN_FILENO, s->keys + s->n_keys, sizeof(s->keys) - s->n_keys);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return -EIO;
	s->n_keys += (unsigned)n;
	return 0;
}

static int read_signal(struct top_screen *s)
{
	struct signalfd_siginfo info;
	int err;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return TOP_KEY_REDRAW;
	switch (info.ssi_signo) {
	case SIGTSTP:
		stop(s);
		err = take(s);
		break;
	case SIGCONT: // the shell that let us go on has set the terminal as it likes it
		err = take(s);
		break;
	case SIGWINCH:
		measure(s);
		err = 0;
		break;
	case SIGINT: // as the key q
		return TOP_KEY_END;
	default:
		s->signal = (int)info.ssi_signo;
		return TOP_KEY_END;
	}
	return err == 0 ? TOP_KEY_REDRAW : TOP_KEY_END;
}

// Until somebody lets us go on.
static void stop(struct top_screen *s)
{
	sigset_t set, mask;

	give_back(s);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}
