#include "switch/ctl.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/log.h"
#include "ports/vnic.h"
#include "ports/vport_types.h"
#include "switch/change.h"
#include "switch/ctl_call.h"
#include "switch/ctl_proto.h"
#include "switch/ctl_socket.h"
#include "switch/vswitch.h"

enum {
	CLIENTS_MAX = 64,
	STALL_MAX_S = 60 // a client may stand still in the middle for so long
};

enum client_state {
	CLIENT_READ,    // a request, or nothing yet
	CLIENT_ANSWER,  // an answer is on its way
	CLIENT_CAPTURE, // its temporary port lives
	CLIENT_CLOSE    // the rest of the output, then the end
};

struct client {
	struct ctl *ctl;
	struct event *readable;
	struct event *writable;
	int fd;
	enum client_state state;
	unsigned still_s; // seconds without progress

	struct ctl_request request;
	size_t got; // bytes of the request, header included
	char *body; // words of the request

	struct words words;
	bool has_words;
	struct ctl_call call;

	char *output; // parts under way
	size_t output_size;
	size_t output_done;
	char capture[OBJECT_NAME_SIZE]; // its temporary port; empty = none
};

struct ctl {
	struct ctl_conf conf;
	struct event *acceptable;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct client *clients[CLIENTS_MAX];
	unsigned n_clients;
};

static void on_accept(evutil_socket_t fd, short what, void *arg);
static struct client *client_create(struct ctl *ctl, int fd);
static void client_destroy(struct client *cl);
static bool make_room(struct ctl *ctl);
static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static ssize_t receive(struct client *cl);
static void take_fds(struct client *cl, const struct cmsghdr *cmsg);
static bool request_complete(struct client *cl);
static void begin_command(struct client *cl);
static void fail_command(struct client *cl, uint32_t column);
static void end_command(struct client *cl, uint32_t type);
static void next_data(struct client *cl);
static bool put_part(struct client *cl, uint32_t type, uint32_t column, const char *data,
		     size_t size);
static void check_capture(struct client *cl);

int ctl_start(const struct ctl_conf *conf, struct ctl **ret, struct errtext *e)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	int err, size;

	if (ctl == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	ctl->conf = *conf;
	size = snprintf(ctl->path, sizeof(ctl->path), "%s/%s", conf->run_dir, CTL_SOCKET);
	if (size < 0 || (size_t)size >= sizeof(ctl->path)) {
		err = errtext_set(e, -ENAMETOOLONG,
				  "RUN_DIR %s is too long: the path of a UNIX socket in it has at "
				  "most %zu bytes",
				  conf->run_dir, sizeof(ctl->path) - 1);
		goto free_ctl;
	}
	ctl->fd = ctl_socket_listen(ctl->path, conf->socket_group, conf->socket_mode, e);
	if (ctl->fd < 0) {
		err = ctl->fd;
		goto free_ctl;
	}
	ctl->acceptable = event_new(conf->base, ctl->fd, EV_READ | EV_PERSIST, on_accept, ctl);
	if (ctl->acceptable == NULL || event_add(ctl->acceptable, NULL) != 0) {
		err = errtext_set(e, -ENOMEM, "out of memory");
		goto close_fd;
	}
	*ret = ctl;
	return 0;
close_fd:
	close(ctl->fd);
	unlink(ctl->path);
free_ctl:
	free(ctl);
	return err;
}

void ctl_stop(struct ctl *ctl)
{
	if (ctl == NULL)
		return;
	while (ctl->n_clients > 0)
		client_destroy(ctl->clients[0]);
	event_free(ctl->acceptable);
	close(ctl->fd);
	unlink(ctl->path);
	free(ctl);
}

void ctl_tick(struct ctl *ctl)
{
	for (unsigned i = ctl->n_clients; i-- > 0;) {
		struct client *cl = ctl->clients[i];
		bool idle = cl->state == CLIENT_READ && cl->got == 0;

		if (cl->state == CLIENT_CAPTURE)
			check_capture(cl);
		else if (++cl->still_s > STALL_MAX_S && !idle)
			client_destroy(cl);
	}
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct ctl *ctl = arg;
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (client < 0)
		return;
	if (ctl->n_clients == CLIENTS_MAX && !make_room(ctl)) {
		log_warn("%d clients are connected to %s; one more was sent away", CLIENTS_MAX,
			 ctl->path);
		close(client);
		return;
	}
	if (client_create(ctl, client) == NULL)
		close(client);
}

static struct client *client_create(struct ctl *ctl, int fd)
{
	struct client *cl = calloc(1, sizeof(*cl));

	if (cl == NULL)
		return NULL;
	cl->ctl = ctl;
	cl->fd = fd;
	cl->call.fd = -1;
	cl->readable = event_new(ctl->conf.base, fd, EV_READ | EV_PERSIST, on_readable, cl);
	cl->writable = event_new(ctl->conf.base, fd, EV_WRITE | EV_PERSIST, on_writable, cl);
	if (cl->readable == NULL || cl->writable == NULL || event_add(cl->readable, NULL) != 0) {
		if (cl->readable != NULL)
			event_free(cl->readable);
		if (cl->writable != NULL)
			event_free(cl->writable);
		free(cl);
		return NULL;
	}
	ctl->clients[ctl->n_clients++] = cl;
	return cl;
}

static void client_destroy(struct client *cl)
{
	struct ctl *ctl = cl->ctl;
	unsigned at = 0;

	while (ctl->clients[at] != cl)
		at++;
	ctl->clients[at] = ctl->clients[--ctl->n_clients];
	event_free(cl->readable);
	event_free(cl->writable);
	close(cl->fd);
	if (cl->call.fd >= 0)
		close(cl->call.fd);
	if (cl->capture[0] != '\0')
		change_remove_temporary(ctl->conf.change, cl->capture);
	if (cl->has_words)
		words_fini(&cl->words);
	out_fini(&cl->call.out);
	free(cl->body);
	free(cl->output);
	free(cl);
}

// Sends the client away that has been silent longest, if one has asked for nothing.
static bool make_room(struct ctl *ctl)
{
	struct client *oldest = NULL;

	for (unsigned i = 0; i < ctl->n_clients; i++) {
		struct client *cl = ctl->clients[i];

		if (cl->state == CLIENT_READ && (oldest == NULL || cl->still_s > oldest->still_s))
			oldest = cl;
	}
	if (oldest == NULL)
		return false;
	client_destroy(oldest);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;
	ssize_t n;
	char c;

	if (cl->state != CLIENT_READ || cl->output_done < cl->output_size) {
		// What it sends now must wait; only that it went away is of interest.
		n = recv(cl->fd, &c, 1, MSG_PEEK);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    (n > 0 && cl->state == CLIENT_CAPTURE))
			client_destroy(cl);
		else if (n > 0)
			event_del(cl->readable);
		return;
	}
	n = receive(cl);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		client_destroy(cl);
		return;
	}
	if (n < 0)
		return;
	cl->still_s = 0;
	if (!request_complete(cl))
		return;
	begin_command(cl);
	event_add(cl->writable, NULL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;
	ssize_t n;

	if (cl->output_done == cl->output_size && cl->state == CLIENT_ANSWER)
		next_data(cl);
	if (cl->output_done < cl->output_size) {
		n = send(cl->fd, cl->output + cl->output_done, cl->output_size - cl->output_done,
			 MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client_destroy(cl);
			return;
		}
		cl->output_done += n > 0 ? (size_t)n : 0;
		cl->still_s = n > 0 ? 0 : cl->still_s;
	}
	if (cl->output_done < cl->output_size || cl->state == CLIENT_ANSWER)
		return;
	event_del(cl->writable);
	free(cl->output);
	cl->output = NULL;
	cl->output_size = 0;
	cl->output_done = 0;
	if (cl->state == CLIENT_CLOSE)
		client_destroy(cl);
	else
		event_add(cl->readable, NULL);
}

// Reads more of the request, and the pipe that may come with it.
static ssize_t receive(struct client *cl)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	const size_t header = sizeof(cl->request);
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *cmsg;
	ssize_t n;

	if (cl->got < header)
		iov = (struct iovec){(char *)&cl->request + cl->got, header - cl->got};
	else
		iov = (struct iovec){cl->body + (cl->got - header),
				     cl->request.size - (cl->got - header)};
	n = recvmsg(cl->fd, &msg, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n;
	cl->got += (size_t)n;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg != NULL; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
			take_fds(cl, cmsg);
	}
	return n;
}

// The last one that came is kept; there is room for more than one, since a message is padded.
static void take_fds(struct client *cl, const struct cmsghdr *cmsg)
{
	size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n; i++) {
		if (cl->call.fd >= 0)
			close(cl->call.fd);
		memcpy(&cl->call.fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
	}
}

// Also true when the request is wrong; begin_command() says so.
static bool request_complete(struct client *cl)
{
	const size_t header = sizeof(cl->request);

	if (cl->got < header)
		return false;
	if (cl->request.magic != CTL_MAGIC || cl->request.size > WORDS_LINE_SIZE)
		return true;
	if (cl->body == NULL)
		cl->body = malloc(cl->request.size + 1u);
	return cl->body == NULL || cl->got == header + cl->request.size;
}

static void begin_command(struct client *cl)
{
	const bool line = (cl->request.flags & CTL_LINE) != 0;
	struct ctl_call *call = &cl->call;
	uint32_t column = 0;
	int err = -EINVAL;

	cl->state = CLIENT_ANSWER;
	call->change = cl->ctl->conf.change;
	call->w = &cl->words;
	call->more = NULL;
	call->capture[0] = '\0';
	call->error.word = 0;
	cl->words.n = 0;
	out_init(&call->out, (cl->request.flags & CTL_JSON) != 0);
	if (cl->request.magic != CTL_MAGIC) {
		errtext_set(&call->error.text, err, "this vswctl does not fit vswd %s",
			    VSW_VERSION);
	} else if (cl->request.size > WORDS_LINE_SIZE) {
		errtext_set(&call->error.text, err, "a command has at most %d bytes",
			    WORDS_LINE_SIZE);
	} else if (cl->body == NULL) {
		errtext_set(&call->error.text, err, "out of memory");
	} else if (line) {
		err = words_split(&cl->words, cl->body, cl->request.size, &call->error.text,
				  &column);
	} else {
		err = words_take(&cl->words, cl->body, cl->request.size, &call->error.text);
	}
	if (err != 0) {
		fail_command(cl, column);
		// What follows a request of a wrong size could be anything.
		if (cl->request.magic != CTL_MAGIC || cl->request.size > WORDS_LINE_SIZE)
			cl->state = CLIENT_CLOSE;
		return;
	}
	cl->has_words = true;
	if (line && cl->words.n == 0) {
		end_command(cl, CTL_EMPTY);
		return;
	}
	err = ctl_run(call);
	if (err != 0)
		fail_command(cl, cl->words.column[call->error.word]);
}

// The answer is that the command failed.
static void fail_command(struct client *cl, uint32_t column)
{
	struct ctl_call *call = &cl->call;
	char *text = call->error.text.text;
	json_t *object;

	// Words that were wrong are quoted in it, and are not to drive a terminal.
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	if (call->out.json) {
		object = json_object();
		json_object_set_new(object, "error", out_string(text));
		if (column != 0)
			json_object_set_new(object, "column", json_integer(column));
		text = json_dumps(object, 0);
		json_decref(object);
	}
	put_part(cl, CTL_ERROR, column, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
	if (text != call->error.text.text)
		free(text);
	call->more = NULL;
	end_command(cl, 0);
}

// Puts the last part, if 'type' is one, and makes ready for the next request.
static void end_command(struct client *cl, uint32_t type)
{
	if (type != 0)
		put_part(cl, type, 0, NULL, 0);
	if (cl->state != CLIENT_CLOSE)
		cl->state = CLIENT_READ;
	if (cl->has_words)
		words_fini(&cl->words);
	cl->has_words = false;
	out_fini(&cl->call.out);
	if (cl->call.fd >= 0)
		close(cl->call.fd);
	cl->call.fd = -1;
	free(cl->body);
	cl->body = NULL;
	cl->got = 0;
}

// All earlier output is gone: puts the next data, and the end when there is no more.
static void next_data(struct client *cl)
{
	struct ctl_call *call = &cl->call;
	bool last = call->more == NULL || call->more(call);
	size_t size, done = 0;
	char *data;

	cl->output_size = 0;
	cl->output_done = 0;
	if (call->out.failed) {
		errtext_set(&call->error.text, -ENOMEM, "out of memory for the answer");
		fail_command(cl, 0);
		return;
	}
	data = out_take(&call->out, &size);
	while (done < size) {
		size_t piece = size - done < CTL_PART_MAX ? size - done : CTL_PART_MAX;

		if (!put_part(cl, CTL_DATA, 0, data + done, piece))
			break;
		done += piece;
	}
	free(data);
	if (!last)
		return;
	if (call->capture[0] != '\0') {
		memcpy(cl->capture, call->capture, sizeof(cl->capture));
		end_command(cl, CTL_CAPTURE);
		cl->state = CLIENT_CAPTURE;
	} else {
		end_command(cl, CTL_DONE);
	}
}

// False: out of memory, and the client is going to be dropped.
static bool put_part(struct client *cl, uint32_t type, uint32_t column, const char *data,
		     size_t size)
{
	const struct ctl_part part = {.type = type, .size = (uint32_t)size, .column = column};
	char *grown = realloc(cl->output, cl->output_size + sizeof(part) + size);

	if (grown == NULL) {
		cl->state = CLIENT_CLOSE;
		return false;
	}
	cl->output = grown;
	memcpy(grown + cl->output_size, &part, sizeof(part));
	if (size > 0)
		memcpy(grown + cl->output_size + sizeof(part), data, size);
	cl->output_size += sizeof(part) + size;
	return true;
}

// The capture ends when its port was removed by somebody, or nobody reads its pipe any more.
static void check_capture(struct client *cl)
{
	struct vport *port = vswitch_port_find(cl->capture);

	if (port != NULL && port->nic != NULL && port->nic->state == VNIC_STATE_CONNECTED)
		return;
	if (port != NULL)
		log_info("capture '%s' ends: %s", cl->capture, port->nic->why);
	change_remove_temporary(cl->ctl->conf.change, cl->capture);
	cl->capture[0] = '\0';
	put_part(cl, CTL_DONE, 0, NULL, 0);
	cl->state = CLIENT_CLOSE;
	event_add(cl->writable, NULL);
}
