#include "switch/vlan.h"

#include "ports/drops.h"

enum { TPID_8021Q = 0x8100 };

static bool hides_a_tag(const struct vnbl *v);

unsigned vlan_enter(const struct vlan_rules *r, struct vnbl *v)
{
	uint16_t tci = v->flags & VNBL_HAS_TAG ? v->vlan_tci : 0;
	uint16_t id = tci & VLAN_ID_MASK;
	uint16_t priority = r->keeps_priority ? tci & (uint16_t)~VLAN_ID_MASK : 0;

	if (v->flags & VNBL_HAS_TAG)
		v->flags |= VNBL_CAME_TAGGED;
	if (id != 0) {
		if (!r->takes_tags || !vlan_set_has(&r->set, id))
			return DROP_UnauthorizedVLAN;
		v->vlan_tci = id | priority;
		return DROP_COUNT;
	}
	// A priority tag may not hide a VLAN's: the next switch would see that one alone.
	if (v->flags & VNBL_HAS_TAG && hides_a_tag(v))
		return DROP_InvalidVlanFormat;
	if (r->takes_tags && !vlan_set_has(&r->set, r->own))
		return DROP_UnauthorizedVLAN;
	v->vlan_tci = r->own | priority;
	if (v->vlan_tci == 0) {
		v->flags &= (uint8_t)~VNBL_HAS_TAG;
		return DROP_COUNT;
	}
	v->vlan_tpid = TPID_8021Q;
	v->flags |= VNBL_HAS_TAG;
	return DROP_COUNT;
}

enum vlan_exit vlan_leave(const struct vlan_rules *r, const struct vnbl *v, uint16_t *x_tci)
{
	uint16_t tci = v->flags & VNBL_HAS_TAG ? v->vlan_tci : 0;
	uint16_t id = tci & VLAN_ID_MASK;
	uint16_t priority = r->keeps_priority ? tci & (uint16_t)~VLAN_ID_MASK : 0;

	if (!vlan_set_has(&r->set, id))
		return VLAN_STAYS;
	*x_tci = r->takes_tags && id != r->own ? id | priority : priority;
	// A tag that is only a priority covers what is underneath no better than none.
	if ((*x_tci & VLAN_ID_MASK) == 0 && v->flags & VNBL_HAS_TAG && hides_a_tag(v))
		return VLAN_STAYS;
	return *x_tci != 0 ? VLAN_LEAVES_TAGGED : VLAN_LEAVES_PLAIN;
}

unsigned vlan_stays_reason(const struct vlan_rules *r)
{
	return vlan_is_private(r->mode) ? DROP_FailedPvlanSetting : DROP_FilteredVLAN;
}

// Whether the data begins with a further tag, which the next switch would take for the frame's.
static bool hides_a_tag(const struct vnbl *v)
{
	return v->safe_size >= 14 && ((v->hdr[12] == 0x81 && v->hdr[13] == 0x00) ||
				      (v->hdr[12] == 0x88 && v->hdr[13] == 0xa8));
}
