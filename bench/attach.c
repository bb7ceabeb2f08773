#include "bench/attach.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_all(struct bench *b, struct errtext *e);
static int explain(struct bench *b, unsigned guest, int err, struct errtext *e);
static int explain_client(struct bench *b, const char *path, int err, struct errtext *e);
static int explain_server(struct bench *b, const char *path, int err, struct errtext *e);
static int explain_handshake(struct bench *b, int err, struct errtext *e);
static int probe(const char *path);
static int explain_denied(const char *path, struct errtext *e);
static int greet(struct bench *b, struct errtext *e);

int attach_switch(struct bench *b, struct errtext *e)
{
	int err = connect_all(b, e);

	if (err != 0)
		return err;
	b->pid = b->o->watch ? b->o->watch : gen_switch_pid(b->gen);
	err = greet(b, e);
	if (err != 0)
		return err;
	err = gen_learn(b->gen, b->o->learn_pps);
	if (err == -ENOTCONN)
		return errtext_set(e, err, "the switch hung up while it was taught the addresses");
	if (err != 0)
		errtext_set(e, err, "the switch could not be taught the addresses: %s",
			    strerror(-err));
	return err;
}

void attach_explain_loss(struct bench *b, int err, struct errtext *e)
{
	if (err != -ENOTCONN) {
		errtext_set(e, err, "the test could not go on: %s", strerror(-err));
		return;
	}
	for (unsigned i = 0; i < b->o->n_guests; i++) {
		if (!gen_connected(b->gen, i)) {
			errtext_set(e, err, "the switch hung up on guest %u (%s)", i,
				    b->o->sockets[i]);
			return;
		}
	}
	errtext_set(e, err, "the switch hung up");
}

static int connect_all(struct bench *b, struct errtext *e)
{
	unsigned guest = 0;
	int err = gen_attach(b->gen, &guest);

	if (err == 0 || bench_interrupted)
		return err == 0 ? 0 : -ECANCELED;
	return explain(b, guest, err, e);
}

static int explain(struct bench *b, unsigned guest, int err, struct errtext *e)
{
	const char *path = b->o->sockets[guest];

	if (b->o->server[guest])
		explain_server(b, path, err, e);
	else
		explain_client(b, path, err, e);
	return errtext_prefix(e, err, "guest %u, %s: ", guest, path);
}

static int explain_client(struct bench *b, const char *path, int err, struct errtext *e)
{
	// Absent and refusing sockets are waited for, so the reason is to be seen now.
	int why = err == -ETIMEDOUT ? probe(path) : err;

	switch (why) {
	case -ENOENT:
		return errtext_set(e, err,
				   "there is no such socket, not after %g s either; is the switch "
				   "running, and is this its port's path? If the switch is to "
				   "connect, say --server",
				   b->o->timeout_s);
	case -ECONNREFUSED:
		return errtext_set(e, err,
				   "nobody listens there: a program that has ended left the "
				   "socket; start the switch");
	case -EACCES:
	case -EPERM:
		return explain_denied(path, e);
	case -EAGAIN:
		return errtext_set(e, err, "the switch does not accept the connection");
	case 0:
		return errtext_set(e, err,
				   "the connection is accepted, but nobody answers: is it a "
				   "vhost-user socket?");
	default:
		return explain_handshake(b, err, e);
	}
}

static int explain_server(struct bench *b, const char *path, int err, struct errtext *e)
{
	switch (err) {
	case -ENOENT:
	case -ENOTDIR:
		return errtext_set(e, err, "the directory for the socket does not exist");
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return errtext_set(e, err, "the socket cannot be made: %s", strerror(-err));
	case -ETIMEDOUT:
		return errtext_set(e, err,
				   "the switch did not connect, or did not answer, within %g s: it "
				   "needs a port that connects to this path (for vswd: port add "
				   "NAME switch SWITCH vhost %s client)",
				   b->o->timeout_s, path);
	default:
		return explain_handshake(b, err, e);
	}
}

static int explain_handshake(struct bench *b, int err, struct errtext *e)
{
	switch (err) {
	case -ENOTCONN:
	case -EPIPE:
	case -ECONNRESET:
		return errtext_set(e, err,
				   "the switch hung up during the handshake: perhaps another guest "
				   "is attached to the port; its log should say");
	case -EPROTO:
		return errtext_set(e, err,
				   "the switch refused a message of the handshake; its log should "
				   "say which");
	case -EBADMSG:
		return errtext_set(e, err, "the answer is none of vhost-user");
	case -EOPNOTSUPP:
		return errtext_set(e, err,
				   "the switch does not offer %s%smergeable receive buffers, which "
				   "vswbench needs",
				   b->o->packed ? "packed rings (--packed) or " : "",
				   b->o->indirect ? "indirect tables (--indirect) or " : "");
	default:
		return errtext_set(e, err, "%s", strerror(-err));
	}
}

static int probe(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int explain_denied(const char *path, struct errtext *e)
{
	const struct passwd *user;
	const struct group *group;
	struct stat st;

	if (stat(path, &st) != 0)
		return errtext_set(e, -EACCES, "you may not look into its directory");
	user = getpwuid(st.st_uid);
	group = getgrgid(st.st_gid);
	return errtext_set(e, -EACCES,
			   "you may not connect: the socket belongs to %s:%s with mode %04o, and "
			   "writing is what it takes",
			   user ? user->pw_name : "?", group ? group->gr_name : "?",
			   (unsigned)(st.st_mode & 07777));
}

static int greet(struct bench *b, struct errtext *e)
{
	unsigned guest = 0;
	int err = gen_greet(b->gen, &guest);

	if (err == 0 || err == -ECANCELED)
		return err;
	if (err == -ENOTCONN)
		return errtext_set(e, err, "the switch hung up before the first frame");
	if (err != -ETIMEDOUT)
		return errtext_set(e, err, "the first frames could not be sent: %s",
				   strerror(-err));
	errtext_set(
		e, err,
		"heard no other guest within %g s: are all ports on one switch%s, is each up, and "
		"may they talk to each other? Broadcasts have to pass, and frames of %u bytes",
		b->o->timeout_s, b->o->vlan ? " and in the VLAN" : "",
		b->o->size == GEN_IMIX ? 1518 : b->o->size);
	return errtext_prefix(e, err, "guest %u, %s: ", guest, b->o->sockets[guest]);
}
