/*
 * The saved state under every failure: each call that touches a file is made to fail, and to
 * be the last that the process does. What is read afterwards must be the old text or the new
 * one, whole; after a refusal the old one, after a success the new one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/state.h"

enum { PIECE = 7 }; // bytes that one write takes, so that there are many

static const char OLD[] = "# the old text\nswitch add a private\n# end\n";
static const char NEW[] = "# the new text\nswitch add a private\nswitch add b private\n# end\n";

static char dir[64];

// The fault: at call number 'at' (from 1), 'error' is returned; when 'dead', nothing that
// comes afterwards happens any more, as if the process had been killed there.
static struct {
	unsigned calls, at;
	int error;
	bool dead, after; // 'after': the call itself is still done before death
} fault;

// True when the call is to fail.
static bool strikes(void)
{
	fault.calls++;
	if (fault.calls == fault.at || (fault.dead && fault.at != 0 && fault.calls > fault.at)) {
		errno = fault.error;
		return true;
	}
	return false;
}

// A process that dies right after the call has done it, but does not hear of it.
static bool last_breath(void)
{
	return fault.dead && fault.after && fault.calls == fault.at;
}

static int io_openat(int at, const char *name, int flags, mode_t mode)
{
	if (strikes() && !last_breath())
		return -1;
	return openat(at, name, flags, mode);
}

static ssize_t io_write(int fd, const void *data, size_t size)
{
	if (strikes() && !last_breath())
		return -1;
	return write(fd, data, size < PIECE ? size : PIECE);
}

static int io_fsync(int fd)
{
	if (strikes() && !last_breath())
		return -1;
	return fsync(fd);
}

static int io_close(int fd)
{
	bool fails = strikes();

	close(fd);
	return fails ? -1 : 0;
}

static int io_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (strikes() && !last_breath())
		return -1;
	return renameat(from_dir, from, to_dir, to);
}

static int io_unlinkat(int at, const char *name, int flags)
{
	if (strikes() && !last_breath())
		return -1;
	return unlinkat(at, name, flags);
}

static const struct state_io faulty = {io_openat, io_write,    io_fsync,
				       io_close,  io_renameat, io_unlinkat};

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

// What a vswd that starts now would find: its text, or "" for none.
static char *found(void)
{
	struct errtext e = {.text = ""};
	struct state *s;
	size_t size;
	char *text;
	int err;

	assert_int_equal(state_open(dir, NULL, &s, &e), 0);
	err = state_load(s, &text, &size, &e);
	assert_true(err == 0 || err == -ENOENT);
	state_close(s);
	return err == 0 ? text : strdup("");
}

// One change from 'old' (NULL = no file yet) to NEW under the present fault. True: reported as
// done.
static bool change(const char *old)
{
	struct errtext e = {.text = ""};
	struct state *s;
	size_t size;
	char *text;
	bool done;

	remove_file(STATE_NEW_FILE);
	remove_file(STATE_FILE);
	if (old != NULL)
		put_file(STATE_FILE, old);
	assert_int_equal(state_open(dir, &faulty, &s, &e), 0);
	if (old != NULL) {
		assert_int_equal(state_load(s, &text, &size, &e), 0);
		free(text);
	}
	fault.calls = 0;
	done = state_prepare(s, NEW, sizeof(NEW) - 1, &e) == 0 && state_commit(s, &e) == 0;
	if (!done)
		assert_string_not_equal(e.text, "");
	state_close(s);
	return done;
}

static unsigned count_calls(const char *old)
{
	memset(&fault, 0, sizeof(fault));
	assert_true(change(old));
	return fault.calls;
}

static void every_call_fails_once(void **state)
{
	static const int errors[] = {ENOSPC, EIO, EDQUOT};
	static const char *const olds[] = {OLD, NULL};

	for (unsigned o = 0; o < 2; o++) {
		unsigned calls = count_calls(olds[o]);

		assert_true(calls > sizeof(NEW) / PIECE);
		for (unsigned i = 0; i < 3 * calls; i++) {
			char *text;
			bool done;

			memset(&fault, 0, sizeof(fault));
			fault.at = i / 3 + 1;
			fault.error = errors[i % 3];
			done = change(olds[o]);
			text = found();
			assert_string_equal(text, done ? NEW : olds[o] == NULL ? "" : olds[o]);
			free(text);
		}
	}
}

static void killed_at_every_call(void **state)
{
	static const char *const olds[] = {OLD, NULL};

	for (unsigned o = 0; o < 2; o++) {
		unsigned calls = count_calls(olds[o]);
		unsigned old_texts = 0, new_texts = 0;

		for (unsigned i = 0; i < 2 * calls; i++) {
			char *text;

			memset(&fault, 0, sizeof(fault));
			fault.at = i / 2 + 1;
			fault.error = EIO;
			fault.dead = true;
			fault.after = i % 2 != 0;
			change(olds[o]);
			text = found();
			new_texts += strcmp(text, NEW) == 0;
			old_texts += strcmp(text, olds[o] != NULL ? olds[o] : "") == 0;
			free(text);
		}
		assert_int_equal(old_texts + new_texts, 2 * calls);
		assert_true(old_texts > 0);
		assert_true(new_texts > 0);
	}
}

static void a_failure_leaves_no_file(void **state)
{
	unsigned calls = count_calls(OLD);

	for (unsigned i = 0; i < calls; i++) {
		struct errtext e;
		struct state *s;
		size_t size;
		char *text;

		memset(&fault, 0, sizeof(fault));
		fault.at = i + 1;
		fault.error = ENOSPC;
		change(OLD);
		assert_int_equal(state_open(dir, NULL, &s, &e), 0);
		assert_int_equal(state_load_unfinished(s, STATE_NEW_FILE, &text, &size), -ENOENT);
		state_close(s);
	}
}

static void many_changes(void **state)
{
	struct errtext e;
	struct state *s;
	char text[64], *last;

	memset(&fault, 0, sizeof(fault));
	remove_file(STATE_FILE);
	assert_int_equal(state_open(dir, NULL, &s, &e), 0);
	for (unsigned i = 0; i < 20; i++) {
		int size = snprintf(text, sizeof(text), "text %u\n", i);

		assert_int_equal(state_prepare(s, text, (size_t)size, &e), 0);
		if (i % 3 == 2)
			state_abort(s);
		else
			assert_int_equal(state_commit(s, &e), 0);
	}
	assert_int_equal(state_commit(s, &e), -EINVAL);
	state_close(s);
	last = found();
	assert_string_equal(last, "text 19\n");
	free(last);
}

static void one_vswd_at_a_time(void **state)
{
	struct errtext e = {.text = ""};
	struct state *s, *other = NULL;
	char pid[16];

	assert_int_equal(state_open(dir, NULL, &s, &e), 0);
	assert_int_equal(state_open(dir, NULL, &other, &e), -EBUSY);
	assert_null(other);
	snprintf(pid, sizeof(pid), "pid %d)", (int)getpid());
	assert_non_null(strstr(e.text, pid));
	state_close(s);
	assert_int_equal(state_open(dir, NULL, &s, &e), 0);
	state_close(s);
}

static void foreign_files(void **state)
{
	struct errtext e = {.text = ""};
	char from[128], to[128];
	struct state *s;
	size_t size;
	char *text;

	// A link in the place of the new file is not followed.
	remove_file(STATE_FILE);
	put_file("victim", "precious\n");
	snprintf(from, sizeof(from), "%s/victim", dir);
	snprintf(to, sizeof(to), "%s/%s", dir, STATE_NEW_FILE);
	remove_file(STATE_NEW_FILE);
	assert_int_equal(symlink(from, to), 0);
	assert_int_equal(state_open(dir, NULL, &s, &e), 0);
	assert_int_equal(state_prepare(s, NEW, sizeof(NEW) - 1, &e), 0);
	assert_int_equal(state_commit(s, &e), 0);
	state_close(s);
	text = found();
	assert_string_equal(text, NEW);
	free(text);
	// Neither is one in the place of the state.
	remove_file(STATE_FILE);
	snprintf(to, sizeof(to), "%s/%s", dir, STATE_FILE);
	assert_int_equal(symlink(from, to), 0);
	assert_int_equal(state_open(dir, NULL, &s, &e), 0);
	assert_int_equal(state_load(s, &text, &size, &e), -ELOOP);
	assert_non_null(strstr(e.text, STATE_FILE));
	state_close(s);
	remove_file(STATE_FILE);
	remove_file("victim");
}

static int setup(void **state)
{
	struct state *s;

	strcpy(dir, "/tmp/vsw-state-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	strcat(dir, "/a/b"); // made by the first to open it
	if (state_open(dir, NULL, &s, NULL) != 0)
		return -1;
	state_close(s);
	return 0;
}

static int teardown(void **state)
{
	remove_file(STATE_FILE);
	remove_file(STATE_NEW_FILE);
	remove_file(STATE_LOCK);
	strcat(dir, "/" STATE_CORES);
	for (unsigned i = 0; i < 4; i++) {
		rmdir(dir);
		*strrchr(dir, '/') = '\0';
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_fails_once),    cmocka_unit_test(killed_at_every_call),
		cmocka_unit_test(a_failure_leaves_no_file), cmocka_unit_test(many_changes),
		cmocka_unit_test(one_vswd_at_a_time),       cmocka_unit_test(foreign_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
