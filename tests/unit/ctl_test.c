/*
 * The control socket with a real switch behind it, on one thread: the event loop is turned by
 * hand between what clients do. No EAL: switches are private, without NICs.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ports/log.h"
#include "switch/change.h"
#include "switch/ctl.h"
#include "switch/ctl_proto.h"
#include "switch/fdb.h"
#include "switch/proc.h"
#include "switch/root.h"
#include "switch/state.h"
#include "switch/vswitch.h"

enum { STATIONS = 20000, PIPELINED = 2000, TURNS_MAX = 200000 };

static char dir[64], run_dir[80], state_dir[80];
static struct event_base *base;
static struct change *change;
static struct ctl *ctl;

// File calls from number 'fail_at' on fail; 0 = none. The count starts at 1.
static unsigned io_calls, fail_at, fail_number;

static bool io_fails(void)
{
	io_calls++;
	errno = ENOSPC;
	return fail_at != 0 && io_calls >= fail_at && io_calls < fail_at + fail_number;
}

static int io_openat(int at, const char *name, int flags, mode_t mode)
{
	return io_fails() ? -1 : openat(at, name, flags, mode);
}

static ssize_t io_write(int fd, const void *data, size_t size)
{
	return io_fails() ? -1 : write(fd, data, size);
}

static int io_fsync(int fd)
{
	return io_fails() ? -1 : 0;
}

static int io_close(int fd)
{
	return close(fd);
}

static int io_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return io_fails() ? -1 : renameat(from_dir, from, to_dir, to);
}

static int io_unlinkat(int at, const char *name, int flags)
{
	return unlinkat(at, name, flags);
}

static const struct state_io io = {io_openat, io_write,    io_fsync,
				   io_close,  io_renameat, io_unlinkat};

// An answer, put together.
struct reply {
	uint32_t type; // of its last part; 0 = the connection ended first
	uint32_t column;
	char *text; // of all of its parts
	size_t size;
};

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static int connect_client(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", run_dir, CTL_SOCKET);
	assert_return_code(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), errno);
	turn();
	return fd;
}

static void send_bytes(int fd, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = send(fd, (const char *)data + done, size - done, MSG_NOSIGNAL);

		if (n > 0)
			done += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
		turn();
	}
}

static size_t make_request(char *out, uint32_t flags, const char *text, size_t size)
{
	const struct ctl_request request = {CTL_MAGIC, flags, (uint32_t)size};

	memcpy(out, &request, sizeof(request));
	memcpy(out + sizeof(request), text, size);
	return sizeof(request) + size;
}

static void send_line(int fd, uint32_t flags, const char *line)
{
	char request[4096];

	send_bytes(fd, request, make_request(request, CTL_LINE | flags, line, strlen(line)));
}

static bool receive(int fd, void *data, size_t size)
{
	size_t done = 0;

	for (unsigned i = 0; done < size && i < TURNS_MAX; i++) {
		ssize_t n = recv(fd, (char *)data + done, size - done, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		if (n < 0)
			turn();
		else
			done += (size_t)n;
	}
	return done == size;
}

static struct reply read_reply(int fd)
{
	struct reply r = {.text = calloc(1, 1)};

	for (;;) {
		struct ctl_part part;

		if (!receive(fd, &part, sizeof(part)))
			return r;
		assert_true(part.size <= CTL_PART_MAX);
		r.text = realloc(r.text, r.size + part.size + 1);
		if (!receive(fd, r.text + r.size, part.size))
			return r;
		r.size += part.size;
		r.text[r.size] = '\0';
		r.column = part.column;
		if (part.type != CTL_DATA) {
			r.type = part.type;
			return r;
		}
	}
}

static void expect(int fd, uint32_t type, const char *words)
{
	struct reply r = read_reply(fd);

	if (r.type != type || strstr(r.text, words) == NULL)
		print_error("type %u: %s\n", r.type, r.text);
	assert_int_equal(r.type, type);
	assert_non_null(strstr(r.text, words));
	free(r.text);
}

static void command(const char *line, uint32_t type, const char *words)
{
	int fd = connect_client();

	send_line(fd, 0, line);
	expect(fd, type, words);
	close(fd);
	turn();
}

static void commands_and_their_answers(void **state)
{
	int fd = connect_client();
	char request[256];

	send_line(fd, 0, "version");
	expect(fd, CTL_DONE, "vswd " VSW_VERSION);
	send_line(fd, 0, "switch add s private");
	expect(fd, CTL_DONE, "");
	send_line(fd, CTL_JSON, "switch add s private");
	expect(fd, CTL_ERROR, "{\"error\": \"a switch is called 's' already\", \"column\": 12}");
	send_line(fd, 0, "  # nothing");
	expect(fd, CTL_EMPTY, "");
	send_line(fd, 0, "");
	expect(fd, CTL_EMPTY, "");
	send_bytes(fd, request, make_request(request, 0, "show\0switches", 14));
	expect(fd, CTL_DONE, "private");
	send_bytes(fd, request, make_request(request, 0, "show\0switches", 13));
	expect(fd, CTL_ERROR, "not closed");
	send_bytes(fd, request, make_request(request, 0, "", 0));
	expect(fd, CTL_ERROR, "no command");
	close(fd);
	turn();
}

static void errors_have_columns(void **state)
{
	int fd = connect_client();
	struct reply r;

	send_line(fd, 0, "switch add x \"unclosed");
	r = read_reply(fd);
	assert_int_equal(r.type, CTL_ERROR);
	assert_int_equal(r.column, 14);
	free(r.text);
	send_line(fd, 0, "show  nothing");
	r = read_reply(fd);
	assert_int_equal(r.column, 7);
	free(r.text);
	close(fd);
	turn();
}

static void json_is_json(void **state)
{
	static const char *const lines[] = {
		"show switches",        "show ports", "show fdb", "show drops", "show procs",
		"show fdb \"a \\\"b\"", "save",       "help",     "version",    "help port add"};

	command("switch add \"a \\\"b\" private", CTL_DONE, "");
	command("switch set \"a \\\"b\" friendly-name \"caf\xc3\xa9 \\\\\"", CTL_DONE, "");
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int fd = connect_client();
		struct reply r;
		json_t *value;

		send_line(fd, CTL_JSON, lines[i]);
		r = read_reply(fd);
		assert_int_equal(r.type, CTL_DONE);
		value = json_loads(r.text, 0, NULL);
		if (value == NULL)
			print_error("%s: %s\n", lines[i], r.text);
		assert_true(json_is_object(value));
		json_decref(value);
		free(r.text);
		close(fd);
		turn();
	}
}

static void requests_in_small_pieces(void **state)
{
	const char *line = "version";
	char request[64];
	size_t size = make_request(request, CTL_LINE, line, strlen(line));
	int fd = connect_client();

	for (size_t i = 0; i < size; i++)
		send_bytes(fd, request + i, 1);
	expect(fd, CTL_DONE, "vswd");
	close(fd);
	turn();
}

static void wrong_requests_end_the_connection(void **state)
{
	struct ctl_request wrong[] = {
		{0x20544547, 0, 4}, {CTL_MAGIC, 0, 65537}, {CTL_MAGIC, 0, UINT32_MAX}};

	for (unsigned i = 0; i < 3; i++) {
		int fd = connect_client();
		struct reply r;

		send_bytes(fd, &wrong[i], sizeof(wrong[i]));
		r = read_reply(fd);
		assert_int_equal(r.type, CTL_ERROR);
		free(r.text);
		r = read_reply(fd);
		assert_int_equal(r.type, 0);
		free(r.text);
		close(fd);
	}
}

// A client that only asks gets no more attention until it reads.
static void pipelined_requests(void **state)
{
	char request[64];
	size_t size = make_request(request, CTL_LINE, "help", 4);
	int fd = connect_client();
	unsigned sent = 0, stuck = 0;

	while (sent < PIPELINED && stuck < 1000) {
		if (send(fd, request, size, MSG_NOSIGNAL) == (ssize_t)size) {
			sent++;
			stuck = 0;
		} else {
			stuck++;
		}
		turn();
	}
	assert_in_range(sent, 100, PIPELINED - 1); // it was made to wait
	command("version", CTL_DONE, "vswd");      // others are not
	for (unsigned i = 0; i < sent; i++)
		expect(fd, CTL_DONE, "switch add NAME");
	close(fd);
	turn();
}

static void clients_go_away_at_any_moment(void **state)
{
	char request[64];
	size_t size = make_request(request, CTL_LINE, "show switches", 13);

	for (size_t part = 0; part <= size; part++) {
		for (unsigned turns = 0; turns < 3; turns++) {
			int fd = connect_client();

			assert_int_equal(send(fd, request, part, 0), part);
			for (unsigned i = 0; i < turns; i++)
				turn();
			close(fd);
			turn();
		}
	}
	command("version", CTL_DONE, "vswd");
}

static void too_many_clients(void **state)
{
	int fds[70];

	for (unsigned i = 0; i < 70; i++)
		fds[i] = connect_client();
	turn();
	send_line(fds[69], 0, "version"); // room was made for it
	expect(fds[69], CTL_DONE, "vswd");
	for (unsigned i = 0; i < 70; i++)
		close(fds[i]);
	for (unsigned i = 0; i < 70; i++)
		turn();
}

static void standing_still(void **state)
{
	int half = connect_client(), idle = connect_client();
	struct reply r;

	send_bytes(half, "vs", 2);
	for (unsigned i = 0; i < 70; i++)
		ctl_tick(ctl);
	r = read_reply(half);
	assert_int_equal(r.type, 0); // dropped
	free(r.text);
	send_line(idle, 0, "version"); // may be idle for ever
	expect(idle, CTL_DONE, "vswd");
	close(half);
	close(idle);
	turn();
}

static void a_pipe_that_nobody_wants_is_closed(void **state)
{
	const char *lines[] = {"version", "switch add t private", "nonsense"};

	// Two at once fit into what is meant for one.
	for (unsigned i = 0; i < 6; i++) {
		const char *line = lines[i % 3];
		size_t fds_size = (i / 3 + 1) * sizeof(int);
		union {
			struct cmsghdr header;
			char bytes[CMSG_SPACE(2 * sizeof(int))];
		} control = {.bytes = {0}};
		char request[64], c;
		struct iovec iov = {request, make_request(request, CTL_LINE, line, strlen(line))};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control.bytes,
				     .msg_controllen = CMSG_SPACE(fds_size)};
		int fd = connect_client(), fds[2], both[2];
		struct reply r;

		assert_return_code(pipe(fds), errno);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fds_size);
		both[0] = both[1] = fds[1];
		memcpy(CMSG_DATA(&control.header), both, fds_size);
		assert_true(sendmsg(fd, &msg, 0) > 0);
		close(fds[1]);
		r = read_reply(fd);
		free(r.text);
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		assert_int_equal(read(fds[0], &c, 1), 0);
		close(fds[0]);
		close(fd);
		turn();
	}
	command("switch remove t", CTL_DONE, "");
}

static void a_large_table_comes_in_pieces(void **state)
{
	struct vswitch *sw;
	int slow, other;
	struct reply r;
	json_t *value;

	command("switch add big private", CTL_DONE, "");
	command("switch set big stations 40000", CTL_DONE, "");
	sw = vswitch_find("big");
	for (uint32_t i = 0; i < STATIONS; i++) {
		const uint8_t mac[6] = {2, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		uint16_t owner;

		assert_int_equal(fdb_pin(atomic_load(&sw->fdb), mac, 0, 0, &owner), 0);
	}
	slow = connect_client();
	send_line(slow, CTL_JSON, "show fdb big");
	for (unsigned i = 0; i < 100; i++)
		turn(); // nothing is read: it has to wait
	other = connect_client();
	send_line(other, 0, "version");
	expect(other, CTL_DONE, "vswd");
	close(other);
	r = read_reply(slow);
	assert_int_equal(r.type, CTL_DONE);
	value = json_loads(r.text, 0, NULL);
	assert_non_null(value);
	assert_int_equal(json_array_size(json_object_get(value, "fdb")), STATIONS);
	json_decref(value);
	free(r.text);
	// A switch that goes away in the middle ends its part, and the answer is whole.
	send_line(slow, CTL_JSON, "show fdb big");
	turn();
	command("switch remove big", CTL_DONE, "");
	r = read_reply(slow);
	assert_int_equal(r.type, CTL_DONE);
	value = json_loads(r.text, 0, NULL);
	assert_non_null(value);
	assert_true(json_array_size(json_object_get(value, "fdb")) < STATIONS);
	json_decref(value);
	free(r.text);
	close(slow);
	turn();
}

static char *saved_text(void)
{
	size_t size;
	char *text;

	assert_int_equal(change_text(change, &text, &size), 0);
	return text;
}

static char *file_text(void)
{
	char path[128];
	char *text = calloc(1, 65536);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", state_dir, STATE_FILE);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

static bool file_exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", state_dir, name);
	return access(path, F_OK) == 0;
}

// Whatever call fails: refused means that nothing has changed, on disk, in the model, or live.
static void a_full_disk_changes_nothing(void **state)
{
	// Each with the number of calls that can fail: to write a text and to give it its name.
	static const struct {
		const char *line;
		unsigned calls;
	} changes[] = {{"switch add new private", 5},
		       {"switch set keep ageing 77 friendly-name Other", 5},
		       {"switch remove keep", 8},
		       {"port set keep:default friendly-name Other", 5}};
	uint32_t switches;
	char *before;

	command("switch add keep private", CTL_DONE, "");
	before = saved_text();
	switches = vswitch_count();
	for (unsigned i = 0; i < 2 * 23; i++) {
		unsigned l = 0, k = i / 2 + 1;
		const struct vswitch *keep = vswitch_find("keep");
		char *after;

		for (; k > changes[l].calls; l++)
			k -= changes[l].calls;
		io_calls = 0;
		fail_at = k;
		fail_number = i % 2 == 0 ? 100 : 1; // with 1, bringing the old text back can work
		command(changes[l].line, CTL_ERROR, "nothing was changed");
		assert_true(io_calls >= k);
		fail_at = 0;
		after = saved_text();
		assert_string_equal(before, after);
		free(after);
		if (fail_number == 1) {
			after = file_text();
			assert_string_equal(before, after);
			free(after);
		}
		assert_false(file_exists(STATE_OLD_FILE));
		assert_int_equal(vswitch_count(), switches);
		assert_ptr_equal(vswitch_find("keep"), keep); // never taken down
		assert_int_equal(keep->ageing_s, 300);
		assert_string_equal(keep->obj.friendly_name, "keep");
		assert_string_equal(vswitch_port_find("keep:default")->obj.friendly_name, "keep");
	}
	free(before);
	command("switch remove keep", CTL_DONE, "");
}

static int setup(void **state)
{
	const struct change_env env = {.run_dir = run_dir, .state_dir = state_dir, .state_io = &io};
	struct errtext e = {.text = ""};
	struct ctl_conf conf = {.run_dir = run_dir, .socket_mode = 0600};

	strcpy(dir, "/tmp/vsw-ctl-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
	snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	mkdir(run_dir, 0700);
	log_init(LOG_LEVEL_ERROR);
	vsw_root.tsc_hz = 1000000000;
	base = event_base_new();
	if (proc_init() != 0 || change_open(&env, &change, &e) != 0 ||
	    change_build(change, &e) != 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	conf.base = base;
	conf.change = change;
	if (ctl_start(&conf, &ctl, &e) != 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"state/" STATE_FILE, "state/" STATE_NEW_FILE,
					    "state/" STATE_LOCK};
	char path[256];
	int left;

	ctl_stop(ctl);
	snprintf(path, sizeof(path), "%s/%s", run_dir, CTL_SOCKET);
	left = access(path, F_OK);
	event_base_free(base);
	change_unbuild(change);
	change_close(change);
	proc_fini();
	log_fini();
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/%s", state_dir, STATE_CORES);
	rmdir(path);
	rmdir(state_dir);
	rmdir(run_dir);
	rmdir(dir);
	return left == 0; // the socket is gone
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_and_their_answers),
		cmocka_unit_test(errors_have_columns),
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(requests_in_small_pieces),
		cmocka_unit_test(wrong_requests_end_the_connection),
		cmocka_unit_test(pipelined_requests),
		cmocka_unit_test(clients_go_away_at_any_moment),
		cmocka_unit_test(too_many_clients),
		cmocka_unit_test(standing_still),
		cmocka_unit_test(a_pipe_that_nobody_wants_is_closed),
		cmocka_unit_test(a_large_table_comes_in_pieces),
		cmocka_unit_test(a_full_disk_changes_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
