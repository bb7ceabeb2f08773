#include "switch/vswitch_pin.h"

#include "ports/log.h"
#include "ports/vnic.h"
#include "switch/proc.h"
#include "switch/vswitch.h"

static void warn_of(const struct vnic *nic, unsigned queue);

void vswitch_pin_init(struct vnic *nic, const struct conf_port *conf)
{
	for (unsigned q = 0; q < nic->n_queues; q++) {
		uint16_t pinned = conf->vmq.pinned[q];

		if (nic->rxq[q].pinned == pinned)
			continue;
		nic->rxq[q].pinned = pinned;
		if (pinned != 0 && proc_on_core(pinned - 1u) == NULL)
			warn_of(nic, q);
	}
}

void vswitch_pin_update(struct vport *port, const struct conf_port *conf)
{
	struct errtext e;

	if (port->nic == NULL)
		return;
	vswitch_pin_init(port->nic, conf);
	if (proc_move_pinned(&e) != 0)
		log_warn("port '%s': its queues stay where they are: %s", port->obj.name, e.text);
}

void vswitch_pin_warn(unsigned core)
{
	for (uint32_t i = 0; i < vswitch_count(); i++) {
		const struct vswitch *sw = vswitch_at(i);

		for (uint32_t p = 0; p < sw->n_ports; p++) {
			const struct vnic *nic = sw->ports[p]->nic;

			for (unsigned q = 0; nic != NULL && q < nic->n_queues; q++)
				if (nic->rxq[q].pinned == core + 1)
					warn_of(nic, q);
		}
	}
}

static void warn_of(const struct vnic *nic, unsigned queue)
{
	log_warn(
		"port '%s': queue %u is pinned to core %u, where no proc is; it is placed as if it "
		"were not",
		nic->obj.name, queue, nic->rxq[queue].pinned - 1);
}
