/*
 * The VLAN decisions: each mode by itself, and who reaches whom in all of HYPERV 5.4, against
 * the table written down here by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ports/drops.h"
#include "ports/vnbl.h"
#include "switch/vlan.h"

enum { PRIORITY = 5 << 13, TAG_TYPE = 12 };

static const struct vlan_rules untagged = VLAN_RULES_UNTAGGED, wire = VLAN_RULES_WIRE;

static struct vlan_rules rules_of(enum vlan_mode mode, uint16_t own, const uint16_t *ids)
{
	struct vlan_rules r = {.mode = (uint8_t)mode, .own = own, .takes_tags = mode == VLAN_TRUNK};

	for (; *ids != 0; ids++)
		vlan_set_add(&r.set, *ids);
	return r;
}

#define IDS(...) ((const uint16_t[]){__VA_ARGS__, 0})

// A frame without a tag (tci < 0), or with one that is out of band.
static struct vnbl *frame(int tci)
{
	static struct vnbl v;

	vnbl_reset(&v);
	memset(v.safe, 0, 64);
	v.safe[TAG_TYPE] = 0x08;
	v.frame_size = v.safe_size = 60;
	if (tci >= 0) {
		v.flags = VNBL_HAS_TAG;
		v.vlan_tpid = 0x8100;
		v.vlan_tci = (uint16_t)tci;
	}
	return &v;
}

// The VLAN that a frame is in after it came in; -1: it was dropped for 'reason'.
static int enter(const struct vlan_rules *r, int tci, unsigned reason)
{
	struct vnbl *v = frame(tci);
	unsigned got = vlan_enter(r, v);

	if (got != DROP_COUNT) {
		assert_int_equal(got, reason);
		return -1;
	}
	return v->flags & VNBL_HAS_TAG ? v->vlan_tci : 0;
}

// The tag that it leaves with; 0: none; -1: it stays.
static int leave(const struct vlan_rules *r, int tci)
{
	uint16_t out = 0xffff;

	switch (vlan_leave(r, frame(tci), &out)) {
	case VLAN_STAYS:
		return -1;
	case VLAN_LEAVES_PLAIN:
		return 0;
	default:
		return out;
	}
}

static void every_id_enters_as_its_mode_says(void **state)
{
	const struct vlan_rules access = rules_of(VLAN_ACCESS, 7, IDS(7));
	const struct vlan_rules trunk = rules_of(VLAN_TRUNK, 9, IDS(9, 10, 11, 4094));

	assert_int_equal(enter(&untagged, -1, 0), 0);
	assert_int_equal(enter(&access, -1, 0), 7);
	assert_int_equal(enter(&trunk, -1, 0), 9);
	assert_int_equal(enter(&wire, -1, 0), 0);
	for (int id = 1; id < VLAN_IDS; id++) {
		bool in_trunk = id == 9 || id == 10 || id == 11 || id == 4094;

		assert_int_equal(enter(&untagged, id, DROP_UnauthorizedVLAN), -1);
		assert_int_equal(enter(&access, id, DROP_UnauthorizedVLAN), -1);
		assert_int_equal(enter(&trunk, id, DROP_UnauthorizedVLAN), in_trunk ? id : -1);
		assert_int_equal(enter(&wire, id, DROP_UnauthorizedVLAN),
				 id <= VLAN_ID_MAX ? id : -1);
	}
}

static void every_id_leaves_as_its_mode_says(void **state)
{
	const struct vlan_rules access = rules_of(VLAN_ACCESS, 7, IDS(7));
	const struct vlan_rules trunk = rules_of(VLAN_TRUNK, 9, IDS(9, 10, 11, 4094));

	assert_int_equal(leave(&untagged, -1), 0);
	assert_int_equal(leave(&access, -1), -1);
	assert_int_equal(leave(&trunk, -1), -1);
	assert_int_equal(leave(&wire, -1), 0);
	for (int id = 1; id <= VLAN_ID_MAX; id++) {
		bool in_trunk = id == 10 || id == 11 || id == 4094;

		assert_int_equal(leave(&untagged, id), -1);
		assert_int_equal(leave(&access, id), id == 7 ? 0 : -1);
		assert_int_equal(leave(&trunk, id), id == 9 ? 0 : in_trunk ? id : -1);
		assert_int_equal(leave(&wire, id), id);
	}
}

static void priority_is_kept_only_where_it_is_allowed(void **state)
{
	struct vlan_rules access = rules_of(VLAN_ACCESS, 7, IDS(7));
	struct vlan_rules trunk = rules_of(VLAN_TRUNK, 0, IDS(10));
	struct vlan_rules plain = untagged;

	// A tag with id 0 is only a priority: the frame is as one without a tag.
	assert_int_equal(enter(&plain, PRIORITY, 0), 0);
	assert_int_equal(enter(&access, PRIORITY, 0), 7);
	assert_int_equal(enter(&trunk, PRIORITY | 10, 0), 10);
	plain.keeps_priority = access.keeps_priority = trunk.keeps_priority = 1;
	assert_int_equal(enter(&plain, PRIORITY, 0), PRIORITY);
	assert_int_equal(enter(&access, PRIORITY, 0), PRIORITY | 7);
	assert_int_equal(enter(&trunk, PRIORITY | 10, 0), PRIORITY | 10);
	assert_int_equal(leave(&plain, PRIORITY), PRIORITY);
	assert_int_equal(leave(&access, PRIORITY | 7), PRIORITY);
	assert_int_equal(leave(&trunk, PRIORITY | 10), PRIORITY | 10);
	assert_int_equal(leave(&wire, PRIORITY), PRIORITY);
	plain.keeps_priority = access.keeps_priority = trunk.keeps_priority = 0;
	assert_int_equal(leave(&plain, PRIORITY), 0);
	assert_int_equal(leave(&access, PRIORITY | 7), 0);
	assert_int_equal(leave(&trunk, PRIORITY | 10), 10);
}

static void a_trunk_without_native_vlan_takes_no_untagged_frames_if_told_so(void **state)
{
	// `native none`: 0 is the network of untagged frames, and it is not in the set.
	const struct vlan_rules none = rules_of(VLAN_TRUNK, 0, IDS(10));

	assert_int_equal(enter(&none, -1, DROP_UnauthorizedVLAN), -1);
	assert_int_equal(leave(&none, -1), -1);
}

// A tag under the tag could make the next switch take the frame for one of another VLAN.
static void hidden_tags_do_not_get_out(void **state)
{
	const struct vlan_rules access = rules_of(VLAN_ACCESS, 7, IDS(7));
	const uint8_t types[][2] = {{0x81, 0x00}, {0x88, 0xa8}};
	struct vlan_rules kept = access, native = rules_of(VLAN_TRUNK, 7, IDS(7, 8));

	kept.keeps_priority = native.keeps_priority = 1;
	for (unsigned i = 0; i < 2; i++) {
		struct vnbl *v = frame(7);
		uint16_t tci;

		memcpy(&v->safe[TAG_TYPE], types[i], 2);
		assert_int_equal(vlan_leave(&access, v, &tci), VLAN_STAYS);
		assert_int_equal(vlan_leave(&wire, v, &tci), VLAN_LEAVES_TAGGED);
		// Nor with a tag that is only a priority.
		v->vlan_tci = PRIORITY | 7;
		assert_int_equal(vlan_leave(&kept, v, &tci), VLAN_STAYS);
		assert_int_equal(vlan_leave(&native, v, &tci), VLAN_STAYS);
		v->vlan_tci = PRIORITY | 8;
		assert_int_equal(vlan_leave(&native, v, &tci), VLAN_LEAVES_TAGGED);
		v->vlan_tci = PRIORITY;
		assert_int_equal(vlan_enter(&untagged, v), DROP_InvalidVlanFormat);
		assert_int_equal(vlan_enter(&wire, v), DROP_InvalidVlanFormat);
	}
}

static void reasons_tell_private_from_plain(void **state)
{
	const struct vlan_rules isolated = rules_of(VLAN_ISOLATED, 101, IDS(100));
	const struct vlan_rules access = rules_of(VLAN_ACCESS, 7, IDS(7));

	assert_int_equal(vlan_stays_reason(&isolated), DROP_FailedPvlanSetting);
	assert_int_equal(vlan_stays_reason(&access), DROP_FilteredVLAN);
	assert_int_equal(vlan_stays_reason(&untagged), DROP_FilteredVLAN);
}

/*
 * HYPERV 5.4: primary 100, isolated 101, communities 102 and 103, two ports of each, two
 * promiscuous ones (the second without community 103), and the world around: an access port in
 * the primary, one elsewhere, a plain port, the wire.
 */
enum { I1, I2, A1, A2, B1, B2, P1, P2, ACCESS, OTHER, PLAIN, WIRE, N_PORTS };

static const char *const reaches[N_PORTS] = {
	//          I I A A B B P P a o p w
	[I1] = "    . . . . . . Y Y . . . Y", [I2] = "    . . . . . . Y Y . . . Y",
	[A1] = "    . . Y Y . . Y Y . . . Y", [A2] = "    . . Y Y . . Y Y . . . Y",
	[B1] = "    . . . . Y Y Y . . . . Y", [B2] = "    . . . . Y Y Y . . . . Y",
	[P1] = "    Y Y Y Y Y Y Y Y Y . . Y", [P2] = "    Y Y Y Y Y Y Y Y Y . . Y",
	[ACCESS] = "Y Y Y Y Y Y Y Y Y . . Y", [OTHER] = " . . . . . . . . . Y . Y",
	[PLAIN] = " . . . . . . . . . . Y Y",
	[WIRE] = "  . . . . . . . . . . Y Y", // without a tag
};

static bool is_reached(unsigned from, unsigned to)
{
	const char *row = reaches[from] + strspn(reaches[from], " ");

	return row[2 * to] == 'Y';
}

static void private_vlans_reach_whom_they_may(void **state)
{
	const struct vlan_rules ports[N_PORTS] = {
		[I1] = rules_of(VLAN_ISOLATED, 101, IDS(100)),
		[I2] = rules_of(VLAN_ISOLATED, 101, IDS(100)),
		[A1] = rules_of(VLAN_COMMUNITY, 102, IDS(100, 102)),
		[A2] = rules_of(VLAN_COMMUNITY, 102, IDS(100, 102)),
		[B1] = rules_of(VLAN_COMMUNITY, 103, IDS(100, 103)),
		[B2] = rules_of(VLAN_COMMUNITY, 103, IDS(100, 103)),
		[P1] = rules_of(VLAN_PROMISCUOUS, 100, IDS(100, 101, 102, 103)),
		[P2] = rules_of(VLAN_PROMISCUOUS, 100, IDS(100, 101, 102)),
		[ACCESS] = rules_of(VLAN_ACCESS, 100, IDS(100)),
		[OTHER] = rules_of(VLAN_ACCESS, 7, IDS(7)),
		[PLAIN] = untagged,
		[WIRE] = wire,
	};

	for (unsigned from = 0; from < N_PORTS; from++) {
		int vlan = enter(&ports[from], -1, 0);

		assert_true(vlan >= 0);
		for (unsigned to = 0; to < N_PORTS; to++) {
			int tag = leave(&ports[to], vlan > 0 ? vlan : -1);

			if ((tag >= 0) != is_reached(from, to))
				print_error("port %u to port %u: %d\n", from, to, tag);
			assert_int_equal(tag >= 0, is_reached(from, to));
			// Only the wire sees tags, and then that of the secondary.
			if (tag >= 0)
				assert_int_equal(tag, to == WIRE ? vlan : 0);
		}
	}
}

static void the_wire_reaches_private_vlans_by_their_tags(void **state)
{
	const struct vlan_rules isolated = rules_of(VLAN_ISOLATED, 101, IDS(100));
	const struct vlan_rules community = rules_of(VLAN_COMMUNITY, 102, IDS(100, 102));
	const struct vlan_rules all = rules_of(VLAN_PROMISCUOUS, 100, IDS(100, 101, 102));

	for (int id = 1; id <= VLAN_ID_MAX; id++) {
		int vlan = enter(&wire, id, 0);

		assert_int_equal(leave(&isolated, vlan) == 0, id == 100);
		assert_int_equal(leave(&community, vlan) == 0, id == 100 || id == 102);
		assert_int_equal(leave(&all, vlan) == 0, id >= 100 && id <= 102);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_id_enters_as_its_mode_says),
		cmocka_unit_test(every_id_leaves_as_its_mode_says),
		cmocka_unit_test(priority_is_kept_only_where_it_is_allowed),
		cmocka_unit_test(a_trunk_without_native_vlan_takes_no_untagged_frames_if_told_so),
		cmocka_unit_test(hidden_tags_do_not_get_out),
		cmocka_unit_test(reasons_tell_private_from_plain),
		cmocka_unit_test(private_vlans_reach_whom_they_may),
		cmocka_unit_test(the_wire_reaches_private_vlans_by_their_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
