#include "switch/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch/dirs.h"

struct state {
	const struct state_io *io;
	int dir_fd;
	int lock_fd;
	bool prepared;
	char *prepared_text; // what a commit makes the present text
	size_t prepared_size;
	char *text; // the present text; NULL = there is no file
	size_t text_size;
	char path[PATH_MAX];
};

static int lock_dir(struct state *s, const char *dir, struct errtext *e);
static int read_file(struct state *s, const char *name, char **ret, size_t *ret_size);
static int write_new(struct state *s, const char *name, const char *text, size_t size);
static int write_all(struct state *s, int fd, const char *text, size_t size);
static void bring_back(struct state *s);

static int sys_openat(int dir, const char *name, int flags, mode_t mode)
{
	return openat(dir, name, flags, mode);
}

static const struct state_io sys_io = {
	.openat = sys_openat,
	.write = write,
	.fsync = fsync,
	.close = close,
	.renameat = renameat,
	.unlinkat = unlinkat,
};

int state_open(const char *dir, const struct state_io *io, struct state **ret, struct errtext *e)
{
	struct state *s;
	int err;

	// Its files have names of at most as many bytes.
	if (strlen(dir) + sizeof("/" STATE_NEW_FILE) > sizeof(s->path))
		return errtext_set(e, -ENAMETOOLONG, "the state directory's name is too long");
	err = dirs_make(dir, 0750, NULL, e);
	if (err != 0)
		return err;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	s->io = io != NULL ? io : &sys_io;
	s->lock_fd = -1;
	snprintf(s->path, sizeof(s->path), "%s/%s", dir, STATE_FILE);
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0) {
		err = errtext_set(e, -errno, "cannot open the state directory %s: %s", dir,
				  strerror(errno));
		goto free_state;
	}
	err = lock_dir(s, dir, e);
	if (err != 0)
		goto close_dir;
	*ret = s;
	return 0;
close_dir:
	close(s->dir_fd);
free_state:
	free(s);
	return err;
}

void state_close(struct state *s)
{
	if (s == NULL)
		return;
	state_abort(s);
	close(s->lock_fd);
	close(s->dir_fd);
	free(s->text);
	free(s);
}

int state_load(struct state *s, char **ret, size_t *ret_size, struct errtext *e)
{
	size_t size;
	char *text;
	int err;

	err = read_file(s, STATE_FILE, &text, &size);
	if (err == -ENOENT)
		return err;
	if (err != 0)
		return errtext_set(e, err, "cannot read %s: %s", s->path, strerror(-err));
	free(s->text);
	s->text = malloc(size + 1);
	if (s->text == NULL) {
		free(text);
		return errtext_set(e, -ENOMEM, "out of memory");
	}
	memcpy(s->text, text, size + 1);
	s->text_size = size;
	*ret = text;
	*ret_size = size;
	return 0;
}

int state_load_unfinished(struct state *s, const char *name, char **ret, size_t *ret_size)
{
	return read_file(s, name, ret, ret_size);
}

void state_forget_unfinished(struct state *s)
{
	if (!s->prepared)
		s->io->unlinkat(s->dir_fd, STATE_NEW_FILE, 0);
	s->io->unlinkat(s->dir_fd, STATE_OLD_FILE, 0);
}

int state_keep_old(struct state *s, struct errtext *e)
{
	int err = s->text != NULL ? write_new(s, STATE_OLD_FILE, s->text, s->text_size) : 0;

	if (err == 0)
		return 0;
	return errtext_set(e, err, "nothing was changed: the state cannot be saved in %s: %s",
			   s->path, strerror(-err));
}

void state_forget_old(struct state *s)
{
	s->io->unlinkat(s->dir_fd, STATE_OLD_FILE, 0);
}

int state_prepare(struct state *s, const char *text, size_t size, struct errtext *e)
{
	char *copy;
	int err;

	state_abort(s);
	copy = malloc(size + 1);
	if (copy == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	memcpy(copy, text, size);
	err = write_new(s, STATE_NEW_FILE, text, size);
	if (err != 0) {
		free(copy);
		return errtext_set(e, err,
				   "nothing was changed: the state cannot be saved in %s: %s",
				   s->path, strerror(-err));
	}
	s->prepared = true;
	s->prepared_text = copy;
	s->prepared_size = size;
	return 0;
}

int state_commit(struct state *s, struct errtext *e)
{
	int err;

	if (!s->prepared)
		return errtext_set(e, -EINVAL, "no text was prepared");
	if (s->io->renameat(s->dir_fd, STATE_NEW_FILE, s->dir_fd, STATE_FILE) != 0) {
		err = -errno;
		state_abort(s);
		goto failed;
	}
	s->prepared = false;
	if (s->io->fsync(s->dir_fd) != 0) {
		err = -errno;
		bring_back(s);
		goto failed;
	}
	free(s->text);
	s->text = s->prepared_text;
	s->text_size = s->prepared_size;
	s->prepared_text = NULL;
	return 0;
failed:
	free(s->prepared_text);
	s->prepared_text = NULL;
	return errtext_set(e, err, "nothing was changed: the state cannot be saved in %s: %s",
			   s->path, strerror(-err));
}

void state_abort(struct state *s)
{
	if (!s->prepared)
		return;
	s->io->unlinkat(s->dir_fd, STATE_NEW_FILE, 0);
	s->prepared = false;
	free(s->prepared_text);
	s->prepared_text = NULL;
}

const char *state_path(const struct state *s)
{
	return s->path;
}

static int lock_dir(struct state *s, const char *dir, struct errtext *e)
{
	char pid[16] = "";
	ssize_t n;

	s->lock_fd = openat(s->dir_fd, STATE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->lock_fd < 0)
		return errtext_set(e, -errno, "cannot open %s/%s: %s", dir, STATE_LOCK,
				   strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		n = pread(s->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? n : 0] = '\0';
		close(s->lock_fd);
		return errtext_set(e, -EBUSY,
				   "another vswd (pid %.*s) has the state directory %s; give each "
				   "its own with -s",
				   (int)strcspn(pid, "\n"), pid[0] != '\0' ? pid : "unknown", dir);
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	// The pid is for the words above only.
	if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) < 0) {
		int err = -errno;

		close(s->lock_fd);
		return errtext_set(e, err, "cannot write to the state directory %s: %s", dir,
				   strerror(-err));
	}
	if (mkdirat(s->dir_fd, STATE_CORES, 0700) != 0 && errno != EEXIST) {
		int err = -errno;

		close(s->lock_fd);
		return errtext_set(e, err, "cannot make %s/%s: %s", dir, STATE_CORES,
				   strerror(-err));
	}
	return 0;
}

static int read_file(struct state *s, const char *name, char **ret, size_t *ret_size)
{
	struct stat st;
	size_t done = 0;
	char *text;
	int fd, err;

	fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0) {
		err = -errno;
		goto close_file;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > STATE_SIZE_MAX) {
		err = S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
		goto close_file;
	}
	text = malloc((size_t)st.st_size + 1);
	err = text == NULL ? -ENOMEM : 0;
	while (err == 0 && done < (size_t)st.st_size) {
		ssize_t n = read(fd, text + done, (size_t)st.st_size - done);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			err = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	if (err == 0) {
		text[done] = '\0';
		*ret = text;
		*ret_size = done;
	} else {
		free(text);
	}
close_file:
	close(fd);
	return err;
}

// On failure no file is left behind, as far as the disk lets us.
static int write_new(struct state *s, const char *name, const char *text, size_t size)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd, err;

	// One may be left from a vswd that was killed.
	if (s->io->unlinkat(s->dir_fd, name, 0) != 0 && errno != ENOENT)
		return -errno;
	fd = s->io->openat(s->dir_fd, name, flags, 0640);
	if (fd < 0)
		return -errno;
	err = write_all(s, fd, text, size);
	if (err == 0 && s->io->fsync(fd) != 0)
		err = -errno;
	if (s->io->close(fd) != 0 && err == 0)
		err = -errno;
	if (err != 0)
		s->io->unlinkat(s->dir_fd, name, 0);
	return err;
}

static int write_all(struct state *s, int fd, const char *text, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = s->io->write(fd, text + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		done += (size_t)n;
	}
	return 0;
}

// The new text has the name already, but nobody knows whether that is on disk.
static void bring_back(struct state *s)
{
	if (s->text == NULL) {
		s->io->unlinkat(s->dir_fd, STATE_FILE, 0);
		return;
	}
	if (write_new(s, STATE_NEW_FILE, s->text, s->text_size) != 0)
		return;
	if (s->io->renameat(s->dir_fd, STATE_NEW_FILE, s->dir_fd, STATE_FILE) != 0)
		s->io->unlinkat(s->dir_fd, STATE_NEW_FILE, 0);
}
