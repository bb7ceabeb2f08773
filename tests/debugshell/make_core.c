/*
 * Writes a core to stdout that is what its name says: see the table at the end.
 *
 * usage: make_core KIND
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

#include "ports/vhost_types.h"
#include "ports/vport_types.h"
#include "switch/policy_types.h"
#include "switch/proc_types.h"
#include "tests/debugshell/fake_core.h"
#include "tests/debugshell/fake_objects.h"

static struct fake_core core;

// The objects as they lie in the core.
static struct vswitch *the_switch(unsigned i)
{
	return fake_core_at(&core, vsw_root.vswitches[i]);
}

static struct vport *the_port(unsigned i)
{
	return fake_core_at(&core, vsw_root.vswitches[0]->ports[i]);
}

static struct vport **the_ports(void)
{
	return fake_core_at(&core, vsw_root.vswitches[0]->ports);
}

static struct fdb *the_table(void)
{
	return fake_core_at(&core, vsw_root.vswitches[0]->fdb);
}

static struct proc *the_proc(void)
{
	return fake_core_at(&core, vsw_root.procs[0]);
}

static struct proc_conf *the_conf(void)
{
	return fake_core_at(&core, vsw_root.procs[0]->conf);
}

static struct vhost *the_guest(void)
{
	return fake_core_at(&core, vsw_root.vswitches[0]->ports[3]->nic);
}

// The note of that type: its header.
static Elf64_Nhdr *note(uint32_t type)
{
	uint8_t *at = core.notes;
	Elf64_Nhdr *head = (void *)at;

	while (head->n_type != type) {
		at += sizeof(*head) + 8 + (head->n_descsz + 3) / 4 * 4;
		head = (void *)at;
	}
	return head;
}

static void valid(void)
{
}

static void empty(void)
{
	core.size = 0;
}

static void text(void)
{
	memset(core.bytes, 'x', core.size);
}

static void header_only(void)
{
	core.size = sizeof(*core.ehdr);
}

static void half_a_header(void)
{
	core.size = 20;
}

static void elf32(void)
{
	core.ehdr->e_ident[EI_CLASS] = ELFCLASS32;
}

static void big_endian(void)
{
	core.ehdr->e_ident[EI_DATA] = ELFDATA2MSB;
}

static void arm(void)
{
	core.ehdr->e_machine = EM_AARCH64;
}

static void program(void)
{
	core.ehdr->e_type = ET_DYN;
}

static void object_file(void)
{
	core.ehdr->e_type = ET_REL;
}

static void of_sleep(void)
{
	struct elf_prpsinfo *info = (void *)((uint8_t *)(note(NT_PRPSINFO) + 1) + 8);

	memset(core.root, 0, sizeof(core.root->magic));
	strcpy(info->pr_fname, "sleep");
}

static void no_magic(void)
{
	core.root->magic[3] = 'X';
}

static void no_headers(void)
{
	core.ehdr->e_phnum = 0;
}

static void many_headers(void)
{
	core.ehdr->e_phnum = 65000;
}

static void uncounted_headers(void)
{
	Elf64_Shdr *shdr = (void *)(core.phdrs + FAKE_SEGMENTS);

	core.ehdr->e_phnum = PN_XNUM;
	core.ehdr->e_shoff = (uint64_t)((uint8_t *)shdr - core.bytes);
	shdr->sh_info = UINT32_MAX;
}

static void headers_beyond(void)
{
	core.ehdr->e_phoff = UINT64_MAX - 8;
}

static void small_headers(void)
{
	core.ehdr->e_phentsize = 1;
}

static void overlapping(void)
{
	core.phdrs[FAKE_ROOT].p_vaddr = core.phdrs[FAKE_ARENA].p_vaddr + 64;
}

static void wrapping(void)
{
	core.phdrs[FAKE_ARENA].p_vaddr = UINT64_MAX - 100;
}

static void far_offset(void)
{
	core.phdrs[FAKE_ARENA].p_offset = UINT64_MAX - 100;
}

static void beyond_the_end(void)
{
	core.phdrs[FAKE_ARENA].p_offset = 1ULL << 40;
}

static void cut_off(void)
{
	core.size -= core.phdrs[FAKE_ARENA].p_filesz / 2;
}

static void cut_before_root(void)
{
	core.size = core.phdrs[FAKE_ROOT].p_offset;
}

// All of them the same bytes of the file, and each of them huge.
static void shared_bytes(void)
{
	core.ehdr->e_phnum = 2 * FAKE_SEGMENTS;
	for (unsigned i = FAKE_SEGMENTS; i < 2 * FAKE_SEGMENTS; i++)
		core.phdrs[i] = (Elf64_Phdr){.p_type = PT_LOAD,
					     .p_flags = PF_R | PF_W,
					     .p_vaddr = (uint64_t)i << 44,
					     .p_filesz = 1ULL << 43,
					     .p_memsz = 1ULL << 43};
	no_magic();
}

static void huge_notes(void)
{
	core.phdrs[FAKE_NOTES].p_filesz = 1ULL << 62;
}

static void huge_note(void)
{
	note(NT_PRSTATUS)->n_descsz = UINT32_MAX;
	note(NT_PRSTATUS)->n_namesz = UINT32_MAX;
}

static void huge_count_of_files(void)
{
	uint64_t *count = (void *)((uint8_t *)(note(NT_FILE) + 1) + 8);

	*count = UINT64_MAX / 24;
}

static void empty_notes(void)
{
	memset(core.notes, 0, 4096);
	core.phdrs[FAKE_NOTES].p_filesz = core.size;
}

static void huge_counts(void)
{
	core.root->n_vswitches = UINT32_MAX;
	core.root->n_procs = UINT32_MAX;
	the_switch(0)->n_ports = UINT32_MAX;
	the_switch(0)->ports_capacity = UINT32_MAX;
	the_port(1)->n_stats = UINT32_MAX;
	the_table()->n_buckets = UINT32_MAX;
	the_table()->buckets_bytes = UINT64_MAX;
	the_conf()->n_rxqs = UINT32_MAX;
	the_proc()->drops.n = UINT64_MAX;
	the_proc()->drops.records[0].n_bytes = UINT16_MAX;
}

static void largest_counts(void)
{
	core.root->n_vswitches = CONF_SWITCHES_MAX;
	core.root->n_procs = PROC_MAX;
	the_switch(0)->n_ports = VPORT_MAX;
	the_switch(0)->ports_capacity = VPORT_MAX;
	the_table()->n_buckets = FDB_STATIONS_MAX;
	the_table()->buckets_bytes = UINT64_MAX;
	the_conf()->n_rxqs = PROC_RXQS_MAX;
}

// The same switch 64 times, which has the same port 1024 times.
static void in_circles(void)
{
	struct vswitch *sw = vsw_root.vswitches[0];

	core.root->n_vswitches = CONF_SWITCHES_MAX;
	for (unsigned i = 0; i < CONF_SWITCHES_MAX; i++)
		core.root->vswitches[i] = sw;
	for (unsigned i = 0; i < sw->n_ports; i++)
		the_ports()[i] = sw->ports[3];
	the_switch(0)->n_ports = VPORT_MAX;
	the_switch(0)->ports_capacity = VPORT_MAX;
	the_switch(1)->ports = (struct vport **)(void *)vsw_root.vswitches[1];
	the_port(3)->nic = (struct vnic *)(void *)sw->ports[3];
}

static void wild_pointers(void)
{
	const uintptr_t wild[] = {1, UINTPTR_MAX, 1UL << 63, (uintptr_t)vsw_root.vswitches[0] + 8};

	for (unsigned i = 0; i < 4; i++)
		the_ports()[i] = (struct vport *)wild[i];
	the_port(4)->nic = (struct vnic *)wild[1];
	the_port(5)->stats = (struct vport_stats *)wild[2];
	the_switch(1)->fdb = (struct fdb *)wild[3];
	the_proc()->conf = (struct proc_conf *)wild[0];
	for (unsigned i = 0; i < 3; i++)
		the_proc()->drops.records[i].at = (const void *)wild[i];
	core.root->vswitches[2] = (struct vswitch *)wild[1];
}

static void wild_policies(void)
{
	struct policy *policy = fake_core_at(&core, vsw_root.vswitches[0]->ports[3]->policy);

	the_port(1)->policy = (struct policy *)1;
	the_port(2)->policy = (struct policy *)UINTPTR_MAX;
	the_port(4)->policy = (struct policy *)(void *)vsw_root.vswitches[0];
	memset(policy, 0xff, sizeof(*policy));
	policy->vlan.mode = VLAN_TRUNK;
	policy->vlan.own = 1;
	policy->guard.n_addresses = 1;
}

static void wild_rings(void)
{
	struct virtq *there = &the_guest()->rings[0].q, *back = &the_guest()->rings[1].q;

	there->desc = (const volatile struct virtq_desc *)UINTPTR_MAX;
	there->avail = (const volatile struct virtq_avail *)1;
	there->used = (volatile struct virtq_used *)(1UL << 63);
	there->mem = (const struct guest_mem *)(void *)vsw_root.vswitches[0];
	there->size = UINT32_MAX;
	there->direction = UINT8_MAX;
	// This one counts more than there is behind each of its pointers.
	*back = (struct virtq){
		.desc = (const volatile struct virtq_desc *)(void *)vsw_root.procs[0],
		.avail = (const volatile struct virtq_avail *)(void *)vsw_root.procs[0],
		.used = (volatile struct virtq_used *)(void *)vsw_root.procs[0],
		.mem = (const struct guest_mem *)(void *)vsw_root.procs[0],
		.size = 32768,
		.mask = UINT16_MAX,
		.broken = UINT8_MAX};
	the_guest()->rings[1].use = UINT32_MAX;
	the_guest()->phase = UINT32_MAX;
}

static void wild_burst(void)
{
	struct proc *proc = the_proc();
	struct vnbl *frames = proc->burst.frames;

	proc->burst.n = UINT32_MAX;
	proc->burst.bytes = UINT32_MAX;
	proc->stage = UINT32_MAX;
	proc->queue = UINT32_MAX;
	proc->port = (const struct vport *)UINTPTR_MAX;
	proc->tid = INT32_MIN;
	frames[0].hdr = (uint8_t *)UINTPTR_MAX;
	frames[0].safe_size = UINT16_MAX;
	frames[0].frame_size = UINT32_MAX;
	frames[0].src_port = (const struct vport *)1;
	frames[0].n_pieces = UINT8_MAX;
	frames[1].hdr = (uint8_t *)vsw_root.vswitches[0];
	frames[1].safe_size = UINT16_MAX;
	frames[1].drop = UINT8_MAX;
	frames[1].flags = UINT8_MAX;
	frames[1].dst_slot = VPORT_MAX;
}

static void type_data_nowhere(void)
{
	core.root->btf = (const void *)0x10UL;
	core.root->btf_size = 4096;
}

static void type_data_huge(void)
{
	core.root->btf_size = UINT64_MAX;
}

static void type_data_damaged(void)
{
	core.root->btf = vsw_root.vswitches[0];
	core.root->btf_size = 512;
}

#define KINDS(X)                                                                                   \
	X(valid)                                                                                   \
	X(empty)                                                                                   \
	X(text)                                                                                    \
	X(header_only)                                                                             \
	X(half_a_header)                                                                           \
	X(elf32)                                                                                   \
	X(big_endian)                                                                              \
	X(arm)                                                                                     \
	X(program)                                                                                 \
	X(object_file)                                                                             \
	X(of_sleep)                                                                                \
	X(no_magic)                                                                                \
	X(no_headers)                                                                              \
	X(many_headers)                                                                            \
	X(uncounted_headers)                                                                       \
	X(headers_beyond)                                                                          \
	X(small_headers)                                                                           \
	X(overlapping)                                                                             \
	X(wrapping)                                                                                \
	X(far_offset)                                                                              \
	X(beyond_the_end)                                                                          \
	X(cut_off)                                                                                 \
	X(cut_before_root)                                                                         \
	X(shared_bytes)                                                                            \
	X(huge_notes)                                                                              \
	X(huge_note)                                                                               \
	X(huge_count_of_files)                                                                     \
	X(empty_notes)                                                                             \
	X(huge_counts)                                                                             \
	X(largest_counts)                                                                          \
	X(in_circles)                                                                              \
	X(wild_pointers)                                                                           \
	X(wild_policies)                                                                           \
	X(wild_rings)                                                                              \
	X(wild_burst)                                                                              \
	X(type_data_nowhere)                                                                       \
	X(type_data_huge)                                                                          \
	X(type_data_damaged)

static const struct {
	const char *name;
	void (*make)(void);
} kinds[] = {
#define X(name) {#name, name},
	KINDS(X)
#undef X
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		fake_core_make(&core);
		kinds[i].make();
		return fwrite(core.bytes, 1, core.size, stdout) != core.size || fflush(stdout) != 0;
	}
	return 2;
}
