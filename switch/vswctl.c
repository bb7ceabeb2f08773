/*
 * vswctl: carries words to vswd and prints what it answers. It understands none of them, but
 * for one thing: `tx -` means its own output, which it hands over.
 *
 * Exit codes: 0 done; 1 vswd refused; 2 wrong usage; 3 no vswd there.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/ctl_proto.h"
#include "switch/words.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_VSWD = 3 };

static const char usage[] = "usage: vswctl [-r RUN_DIR] [-j] COMMAND...\n"
			    "       vswctl [-r RUN_DIR] [-j] -f FILE\n"
			    "  -r, --run-dir DIR  where vswd runs; default /run/vsw\n"
			    "  -j, --json         answers and errors as JSON\n"
			    "  -f, --file FILE    runs a file of commands, - is standard input; "
			    "stops at the first error\n"
			    "  -h, --help         this; `vswctl help` asks vswd for its commands\n"
			    "  -V, --version      the version of vswctl\n";

static struct {
	const char *run_dir;
	const char *file;
	bool json;
	bool capture; // stdout belongs to vswd
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
} options = {.run_dir = "/run/vsw"};

enum { SILENCE_MS = 5000 }; // after which the user is told that vswd is silent

// How a command ended.
struct answer {
	uint32_t type; // CTL_ERROR, CTL_DONE, CTL_CAPTURE, CTL_EMPTY
	uint32_t column;
	char *text; // of the error; JSON when asked for; owned
};

static int connect_vswd(void);
static void explain_connect(int err);
static int run_words(int fd, int argc, char **argv);
static int run_file(int fd);
static int run_line(int fd, const char *line, size_t size, unsigned number, unsigned *x_done);
static bool is_capture(int argc, char **argv);
static int wait_capture(int fd);
static void send_request(int fd, uint32_t flags, const char *body, size_t size, bool with_stdout);
static struct answer read_answer(int fd);
static void tell_of_silence(int fd);
static void read_exactly(int fd, void *data, size_t size);
static void print_error(const struct answer *a, const char *where);
static void guard_streams(void);
static int finish(int code);
static _Noreturn void die(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"run-dir", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
		{"file", required_argument, NULL, 'f'},    {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0}};
	int c, fd;

	guard_streams();
	while ((c = getopt_long(argc, argv, "+r:jf:hV", longs, NULL)) != -1) {
		switch (c) {
		case 'r':
			options.run_dir = optarg;
			break;
		case 'j':
			options.json = true;
			break;
		case 'f':
			options.file = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return finish(EXIT_DONE);
		case 'V':
			puts("vswctl " VSW_VERSION);
			return finish(EXIT_DONE);
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if ((options.file != NULL) == (optind < argc))
		die(EXIT_USAGE, "%s; `vswctl --help` says how",
		    options.file != NULL ? "a file and a command exclude each other"
					 : "a command is missing");
	fd = connect_vswd();
	return finish(options.file != NULL ? run_file(fd)
					   : run_words(fd, argc - optind, argv + optind));
}

// A stream that was closed for us must not become the socket: writing to it is to fail.
static void guard_streams(void)
{
	int fd;

	do
		fd = open("/dev/full", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

// What was printed must have arrived: an empty backup of `save` is worse than none.
static int finish(int code)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		die(EXIT_REFUSED, "cannot write the answer: %s", strerror(errno));
	return code;
}

static int connect_vswd(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, size;

	size = snprintf(options.path, sizeof(options.path), "%s/%s", options.run_dir, CTL_SOCKET);
	if (size < 0 || (size_t)size >= sizeof(options.path))
		die(EXIT_USAGE, "the path %s/%s is too long for a UNIX socket", options.run_dir,
		    CTL_SOCKET);
	memcpy(addr.sun_path, options.path, (size_t)size + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die(EXIT_NO_VSWD, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
		explain_connect(errno);
	return fd;
}

static void explain_connect(int err)
{
	const struct passwd *user;
	const struct group *group;
	struct stat st;

	if (err != EACCES && err != EPERM)
		die(EXIT_NO_VSWD,
		    "no vswd answers on %s: %s; start it, or name its RUN_DIR with -r",
		    options.path, strerror(err));
	if (stat(options.path, &st) != 0)
		die(EXIT_NO_VSWD, "no permission to reach %s; run vswctl as root", options.path);
	user = getpwuid(st.st_uid);
	group = getgrgid(st.st_gid);
	die(EXIT_NO_VSWD,
	    "no permission to use %s, which belongs to %s:%s with mode %04o; run vswctl as root or "
	    "join that group",
	    options.path, user != NULL ? user->pw_name : "?", group != NULL ? group->gr_name : "?",
	    (unsigned)st.st_mode & 07777);
}

static int run_words(int fd, int argc, char **argv)
{
	char *body = NULL;
	size_t size = 0;
	struct answer a;

	for (int i = 0; i < argc; i++) {
		size_t n = strlen(argv[i]) + 1;
		char *grown = realloc(body, size + n);

		if (grown == NULL || size + n > WORDS_LINE_SIZE)
			die(EXIT_USAGE, "the command is too long: at most %d bytes",
			    WORDS_LINE_SIZE);
		body = grown;
		memcpy(body + size, argv[i], n);
		size += n;
	}
	options.capture = is_capture(argc, argv);
	if (options.capture && isatty(STDOUT_FILENO))
		die(EXIT_USAGE, "the capture is not for a terminal; send it into a file or a pipe, "
				"as in: vswctl ... | tcpdump -r -");
	send_request(fd, options.json ? CTL_JSON : 0, body, size, options.capture);
	free(body);
	a = read_answer(fd);
	if (a.type == CTL_ERROR)
		print_error(&a, "");
	free(a.text);
	if (a.type == CTL_ERROR)
		return EXIT_REFUSED;
	return a.type == CTL_CAPTURE ? wait_capture(fd) : EXIT_DONE;
}

static int run_file(int fd)
{
	bool from_stdin = strcmp(options.file, "-") == 0;
	FILE *f = from_stdin ? stdin : fopen(options.file, "re");
	unsigned number = 0, done = 0;
	char *line = NULL;
	size_t capacity = 0;
	int code = EXIT_DONE;
	ssize_t size;

	if (f == NULL)
		die(EXIT_USAGE, "cannot open %s: %s", options.file, strerror(errno));
	while (code == EXIT_DONE && (size = getline(&line, &capacity, f)) >= 0) {
		if (size > 0 && line[size - 1] == '\n')
			size--;
		code = run_line(fd, line, (size_t)size, ++number, &done);
	}
	if (ferror(f))
		die(EXIT_USAGE, "cannot read %s: %s", options.file, strerror(errno));
	free(line);
	if (!from_stdin)
		fclose(f);
	return code;
}

static int run_line(int fd, const char *line, size_t size, unsigned number, unsigned *x_done)
{
	char where[512];
	struct answer a;

	if (size > WORDS_LINE_SIZE)
		die(EXIT_REFUSED,
		    "%s:%u: the line has over %d bytes; %u commands before it are done",
		    options.file, number, WORDS_LINE_SIZE, *x_done);
	send_request(fd, CTL_LINE | (options.json ? CTL_JSON : 0), line, size, false);
	a = read_answer(fd);
	*x_done += a.type == CTL_DONE;
	if (a.type != CTL_ERROR) {
		free(a.text);
		return EXIT_DONE;
	}
	snprintf(where, sizeof(where), "%.400s:%u:%u: ", options.file, number, a.column);
	print_error(&a, where);
	if (!options.json)
		fprintf(stderr,
			"vswctl: %u command%s before it %s done; nothing after it was run\n",
			*x_done, *x_done == 1 ? "" : "s", *x_done == 1 ? "is" : "are");
	free(a.text);
	return EXIT_REFUSED;
}

static bool is_capture(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[0], "port") != 0 || strcmp(argv[1], "add") != 0)
		return false;
	for (int i = 2; i + 1 < argc; i++) {
		if (strcmp(argv[i], "tx") == 0 && strcmp(argv[i + 1], "-") == 0)
			return true;
	}
	return false;
}

// The port lasts as long as this connection, and this as long as somebody reads our output.
static int wait_capture(int fd)
{
	struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	struct ctl_part part;

	while (poll(fds, 2, -1) < 0 || (fds[0].revents | fds[1].revents) == 0)
		continue;
	if (fds[0].revents != 0)
		read_exactly(fd, &part, sizeof(part));
	return EXIT_DONE;
}

static void send_request(int fd, uint32_t flags, const char *body, size_t size, bool with_stdout)
{
	struct ctl_request request = {.magic = CTL_MAGIC, .flags = flags, .size = (uint32_t)size};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec iov = {&request, sizeof(request)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	const int out = STDOUT_FILENO;
	size_t done = 0;

	if (with_stdout) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &out, sizeof(int));
	}
	// A stream socket takes so few bytes whole.
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) != (ssize_t)sizeof(request))
		die(EXIT_NO_VSWD, "vswd on %s does not take the command: %s", options.path,
		    strerror(errno));
	while (done < size) {
		ssize_t n = send(fd, body + done, size - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die(EXIT_NO_VSWD, "vswd on %s does not take the command: %s", options.path,
			    strerror(errno));
		done += (size_t)n;
	}
}

// Prints data as it comes, up to the end of the answer.
static struct answer read_answer(int fd)
{
	for (;;) {
		struct ctl_part part;
		char *data;

		read_exactly(fd, &part, sizeof(part));
		if (part.size > CTL_PART_MAX)
			die(EXIT_NO_VSWD,
			    "vswd on %s answers in another language; are vswctl and "
			    "vswd of the same version?",
			    options.path);
		data = malloc(part.size + 1u);
		if (data == NULL)
			die(EXIT_REFUSED, "out of memory");
		read_exactly(fd, data, part.size);
		data[part.size] = '\0';
		if (part.type != CTL_DATA)
			return (struct answer){part.type, part.column, data};
		if (!options.capture && fwrite(data, 1, part.size, stdout) != part.size)
			die(EXIT_REFUSED, "cannot write the answer: %s", strerror(errno));
		free(data);
	}
}

// Says once that the answer is late; it may still come, and the command may still be done.
static void tell_of_silence(int fd)
{
	static bool told;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (told || options.capture || poll(&p, 1, SILENCE_MS) != 0)
		return;
	fprintf(stderr,
		"vswctl: vswd in %s has not answered for %d s; it may be stopped or hung "
		"(`vswsh proc` looks without asking it); waiting\n",
		options.run_dir, SILENCE_MS / 1000);
	told = true;
}

static void read_exactly(int fd, void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n;

		tell_of_silence(fd);
		n = recv(fd, (char *)data + done, size - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die(EXIT_NO_VSWD,
			    "vswd on %s went away before it had answered; look at its "
			    "log",
			    options.path);
		done += (size_t)n;
	}
}

static void print_error(const struct answer *a, const char *where)
{
	json_t *object;

	fflush(stdout);
	if (!options.json) {
		fprintf(stderr, "vswctl: %s%s\n", where, a->text);
		return;
	}
	object = json_loads(a->text, 0, NULL);
	if (object != NULL && where[0] != '\0')
		json_object_set_new(object, "where", json_stringn(where, strlen(where) - 2));
	if (object != NULL)
		json_dumpf(object, options.capture ? stderr : stdout, 0);
	fputc('\n', options.capture ? stderr : stdout);
	json_decref(object);
}

static void die(int code, const char *fmt, ...)
{
	char text[1024];
	json_t *object;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fflush(stdout);
	if (options.json && !options.capture) {
		object = json_pack("{s:s}", "error", text);
		json_dumpf(object, stdout, 0);
		fputc('\n', stdout);
		json_decref(object);
	} else {
		fprintf(stderr, "vswctl: %s\n", text);
	}
	exit(code);
}
