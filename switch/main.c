/*
 * vswd: started in order, stopped in reverse.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "ports/log.h"
#include "ports/netlink.h"
#include "ports/vnic.h"
#include "switch/balance.h"
#include "switch/change.h"
#include "switch/ctl.h"
#include "switch/dpdk_start.h"
#include "switch/load.h"
#include "switch/options.h"
#include "switch/proc.h"
#include "switch/root.h"
#include "switch/rundir.h"
#include "switch/state.h"
#include "switch/vswitch.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, LOG_RETRY_MS = 50, EVENTS_MAX = 10 };

// What is started, so that it can be stopped; zero or negative = not yet.
static struct {
	struct options options;
	int rundir_fd;
	bool has_log, has_dpdk, has_rcu, has_ports, has_procs, is_built;
	struct change *change;
	struct netlink *netlink;
	struct event_base *base;
	struct ctl *ctl;
	struct event *events[EVENTS_MAX];
	unsigned n_events;
	struct event *log_retry;
} vswd = {.rundir_fd = -1};

static void hold_standard_fds(void);
static int start(int argc, char **argv, struct errtext *e);
static int start_process(struct errtext *e);
static int start_dpdk(struct errtext *e);
static int start_switch(struct errtext *e);
static int start_loop(struct errtext *e);
static void stop(void);
static void mask_signals(int how);
static int watch_fd(int fd, event_callback_fn fn, struct errtext *e);
static int watch_signal(int number, struct errtext *e);
static void on_signal(evutil_socket_t number, short what, void *arg);
static void on_second(evutil_socket_t fd, short what, void *arg);
static void on_balance(evutil_socket_t fd, short what, void *arg);
static void on_nic_event(evutil_socket_t fd, short what, void *arg);
static void on_netlink(evutil_socket_t fd, short what, void *arg);
static void on_log(evutil_socket_t fd, short what, void *arg);
static void raise_file_limit(void);
static void prepare_for_autopsy(void);
static void notify(const char *state);

int main(int argc, char **argv)
{
	struct errtext e = {.text = ""};
	int err;

	hold_standard_fds();
	err = options_parse(argc, argv, &vswd.options, &e);
	if (err > 0)
		return EXIT_SUCCESS;
	if (err < 0) {
		fprintf(stderr, "vswd: %s\n", e.text);
		return EXIT_USAGE;
	}
	err = start(argc, argv, &e);
	if (err != 0) {
		log_error("%s", e.text[0] != '\0' ? e.text : strerror(-err));
	} else {
		log_info("vswd %s is ready: %s", VSW_VERSION, change_source(vswd.change));
		notify("READY=1");
		root_tick(); // or who looks within the first second takes a slow start for a hang
		event_base_dispatch(vswd.base);
		notify("STOPPING=1");
		log_info("vswd stops");
	}
	stop();
	return err == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}

// Else the first sockets would get their numbers, and log lines would go there.
static void hold_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int start(int argc, char **argv, struct errtext *e)
{
	int err;

	err = start_process(e);
	if (err == 0)
		err = start_dpdk(e);
	if (err != 0)
		return err;
	log_drain(); // the loop, which does it from now on, does not run yet
	root_init(vswd.options.run_dir, vswd.options.state_dir, argc, argv);
	err = start_switch(e);
	log_drain();
	return err != 0 ? err : start_loop(e);
}

// What belongs to this process: log, directories, configuration.
static int start_process(struct errtext *e)
{
	const struct options *o = &vswd.options;
	const struct change_env env = {
		.run_dir = o->run_dir, .state_dir = o->state_dir, .start_file = o->start_file};
	int err;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	// They wait until the loop can stop cleanly; all other threads leave them to this one.
	mask_signals(SIG_BLOCK);
	err = log_init(o->log_level);
	if (err != 0)
		return errtext_set(e, err, "the log does not start: %s", strerror(-err));
	vswd.has_log = true;
	vswd.rundir_fd = rundir_open(o->run_dir, o->socket_group, e);
	if (vswd.rundir_fd < 0)
		return vswd.rundir_fd;
	err = change_open(&env, &vswd.change, e);
	if (err == 0)
		raise_file_limit();
	prepare_for_autopsy();
	return err;
}

static int start_dpdk(struct errtext *e)
{
	struct options *o = &vswd.options;
	struct dpdk_start conf = {.procs = o->procs,
				  .memory_mib = o->memory_mib,
				  .no_huge = o->no_huge,
				  .pci = o->pci || change_needs_pci(vswd.change),
				  .run_dir = o->run_dir};
	int err;

	err = dpdk_choose_procs(o->procs, &o->n_procs, e);
	if (err != 0)
		return err;
	err = log_capture_dpdk();
	if (err != 0)
		return errtext_set(e, err, "DPDK's log cannot be taken");
	conf.n_procs = o->n_procs;
	err = dpdk_start(&conf, e);
	vswd.has_dpdk = err == 0;
	return err;
}

static int start_switch(struct errtext *e)
{
	const struct options *o = &vswd.options;
	struct ports_env env = {.wake = proc_wake,
				.socket_group = o->socket_group,
				.socket_mode = o->socket_mode,
				.run_dir = o->run_dir,
				.n_mbufs = dpdk_frames(o->memory_mib)};
	int err;

	err = proc_init();
	if (err != 0)
		return errtext_set(e, err, "out of memory for the procs");
	vswd.has_rcu = true;
	env.rcu = proc_rcu();
	err = ports_init(&env, e);
	if (err != 0)
		return err;
	vswd.has_ports = true;
	err = proc_start_all(o->procs, o->n_procs, o->poll_always, e);
	if (err != 0)
		return err;
	vswd.has_procs = true;
	err = change_build(vswd.change, e);
	vswd.is_built = err == 0;
	return err;
}

static int start_loop(struct errtext *e)
{
	const struct timeval second = {.tv_sec = 1};
	const struct timeval interval = {.tv_usec = BALANCE_INTERVAL_MS * 1000};
	struct ctl_conf conf = {.change = vswd.change,
				.run_dir = vswd.options.run_dir,
				.socket_group = vswd.options.socket_group,
				.socket_mode = vswd.options.socket_mode};
	struct event *timer, *balancer;
	int err;

	vswd.base = event_base_new();
	if (vswd.base == NULL)
		return errtext_set(e, -ENOMEM, "the event loop does not start");
	timer = event_new(vswd.base, -1, EV_PERSIST, on_second, NULL);
	balancer = event_new(vswd.base, -1, EV_PERSIST, on_balance, NULL);
	vswd.log_retry = evtimer_new(vswd.base, on_log, NULL);
	if (timer == NULL || balancer == NULL || vswd.log_retry == NULL ||
	    event_add(timer, &second) != 0 || event_add(balancer, &interval) != 0)
		return errtext_set(e, -ENOMEM, "the event loop does not start");
	vswd.events[vswd.n_events++] = timer;
	vswd.events[vswd.n_events++] = balancer;
	err = netlink_create(&vswd.netlink, e);
	if (err == 0)
		err = watch_fd(netlink_fd(vswd.netlink), on_netlink, e);
	if (err == 0)
		err = watch_fd(ports_event_fd(), on_nic_event, e);
	if (err == 0)
		err = watch_fd(log_fd(), on_log, e);
	if (err == 0)
		err = watch_signal(SIGTERM, e);
	if (err == 0)
		err = watch_signal(SIGINT, e);
	conf.base = vswd.base;
	if (err == 0)
		err = ctl_start(&conf, &vswd.ctl, e);
	mask_signals(SIG_UNBLOCK);
	return err;
}

static void stop(void)
{
	ctl_stop(vswd.ctl);
	if (vswd.netlink != NULL)
		netlink_destroy(vswd.netlink);
	while (vswd.n_events > 0)
		event_free(vswd.events[--vswd.n_events]);
	if (vswd.log_retry != NULL)
		event_free(vswd.log_retry);
	if (vswd.base != NULL)
		event_base_free(vswd.base);
	if (vswd.is_built)
		change_unbuild(vswd.change);
	if (vswd.has_procs)
		proc_stop_all();
	if (vswd.has_ports)
		ports_fini();
	if (vswd.has_rcu)
		proc_fini();
	if (vswd.has_dpdk)
		dpdk_stop();
	change_close(vswd.change);
	if (vswd.rundir_fd >= 0)
		rundir_close(vswd.options.run_dir, vswd.rundir_fd);
	if (vswd.has_log)
		log_fini();
}

static void mask_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(how, &set, NULL);
}

static int watch_fd(int fd, event_callback_fn fn, struct errtext *e)
{
	struct event *ev = event_new(vswd.base, fd, EV_READ | EV_PERSIST, fn, NULL);

	if (ev == NULL || event_add(ev, NULL) != 0)
		return errtext_set(e, -ENOMEM, "the event loop does not take a file");
	vswd.events[vswd.n_events++] = ev;
	return 0;
}

static int watch_signal(int number, struct errtext *e)
{
	struct event *ev = evsignal_new(vswd.base, number, on_signal, NULL);

	if (ev == NULL || event_add(ev, NULL) != 0)
		return errtext_set(e, -ENOMEM, "the event loop does not take a signal");
	vswd.events[vswd.n_events++] = ev;
	return 0;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	log_info("%s", number == SIGTERM ? "SIGTERM" : "SIGINT");
	event_base_loopbreak(vswd.base);
}

static void on_balance(evutil_socket_t fd, short what, void *arg)
{
	balance_tick(rte_rdtsc());
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	root_tick();
	load_tick(vsw_root.clock_tsc);
	vswitch_tick(proc_now_s());
	ctl_tick(vswd.ctl);
}

static void on_nic_event(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	// Cleared before looking, so that an event that comes meanwhile raises it again.
	if (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		vswitch_events(NULL);
}

static void link_changed(void *arg, const char *ifname)
{
	if (ifname != NULL) {
		vswitch_events(ifname);
		return;
	}
	// The kernel had more to say than we heard: all are looked at.
	for (uint32_t i = 0; i < vswitch_count(); i++) {
		const struct vswitch *sw = vswitch_at(i);

		for (uint32_t p = 0; p < sw->n_ports; p++) {
			if (sw->ports[p]->nic != NULL)
				vnic_link_changed(sw->ports[p]->nic, NULL);
		}
	}
	vswitch_events(NULL);
}

static void on_netlink(evutil_socket_t fd, short what, void *arg)
{
	netlink_read(vswd.netlink, link_changed, NULL);
}

// Lines wait in the ring while stderr takes none; it is asked again a little later.
static void on_log(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval retry = {.tv_usec = LOG_RETRY_MS * 1000};

	if (log_drain())
		event_add(vswd.log_retry, &retry);
}

// A port takes up to a dozen descriptors, and shells often allow 1024. If it cannot be raised,
// the port that finds none says so.
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("the limit of open files stays as it is: %s", strerror(errno));
}

/*
 * A core is worth having only with the memory that the frames are in (hugepages, shared
 * mappings), and somewhere to be written to. Where the limits do not allow it, the switch
 * runs all the same.
 */
static void prepare_for_autopsy(void)
{
	static const char filter[] = "0x7f\n";
	char cores[PATH_MAX + sizeof(STATE_CORES)];
	struct rlimit limit;
	int fd;

	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_CORE, &limit) != 0)
			log_warn("cores stay off: %s", strerror(errno));
		else if (limit.rlim_max == 0)
			log_info("cores stay off: the hard limit of their size is 0");
	}
	fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, filter, sizeof(filter) - 1) < 0)
		log_warn("hugepages will be missing in cores: /proc/self/coredump_filter: %s",
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	snprintf(cores, sizeof(cores), "%s/%s", vswd.options.state_dir, STATE_CORES);
	if (chdir(cores) != 0)
		log_warn("cores go elsewhere: %s: %s", cores, strerror(errno));
}

// Tells systemd (Type=notify), when it asked to be told.
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t size;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	size = strlen(path);
	if (size >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, size);
	if (path[0] == '@')
		addr.sun_path[0] = '\0'; // abstract
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&addr,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0)
		log_warn("systemd was not told %s: %s", state, strerror(errno));
	close(fd);
}
