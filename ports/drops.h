/*
 * Why a frame was dropped: the one table of reasons, for all folders and all programs.
 *
 * Numbers and names are those of the original (HYPERV 7.2) and never change; counters,
 * `show drops`, the debug shell and JSON all print from here. Every drop is charged to one
 * vport, in one direction (IN: on its way from the vport's NIC into the switch; OUT: on
 * its way from the switch to the vport's NIC), under one reason.
 */
#pragma once

#define DROP_REASONS(X)                                                                            \
	X(0, Unknown, "no reason was recorded")                                                    \
	X(1, InvalidData, "the guest's ring or buffer is malformed")                               \
	X(2, InvalidPacket, "the frame's headers contradict its length or offload request")        \
	X(3, Resources, "no room: destination ring or session table full, or out of frame memory") \
	X(4, NotReady, "the destination's ring is not set up, or is stopped")                      \
	X(5, Disconnected, "nothing is connected to the port")                                     \
	X(6, NotAccepted, "the destination took the frame back")                                   \
	X(7, Busy, "the destination's queue between processors is full")                           \
	X(8, Filtered, "filtered")                                                                 \
	X(9, FilteredVLAN, "the VLAN is not carried by the destination port")                      \
	X(10, UnauthorizedVLAN, "the VLAN is not allowed on the source port")                      \
	X(11, UnauthorizedMAC, "the source address belongs to another port")                       \
	X(12, FailedSecurityPolicy, "denied by the port's security policy")                        \
	X(13, FailedPvlanSetting, "denied by the private VLAN")                                    \
	X(14, Qos, "over the bandwidth limit")                                                     \
	X(15, Ipsec, "IPsec")                                                                      \
	X(16, MacSpoofing, "source address is not the port's own")                                 \
	X(17, DhcpGuard, "DHCP server message from a guarded port")                                \
	X(18, RouterGuard, "router message from a guarded port")                                   \
	X(19, BridgeReserved, "destination 01-80-C2-00-00-0x is never forwarded")                  \
	X(20, VirtualSubnetId, "virtual subnet mismatch")                                          \
	X(21, RequiredExtensionMissing, "a required extension is missing")                         \
	X(22, InvalidConfig, "the port's configuration is contradictory")                          \
	X(23, MTUMismatch, "longer than the switch's MTU")                                         \
	X(24, NativeFwdingReq, "needs native forwarding")                                          \
	X(25, InvalidVlanFormat, "malformed VLAN tag")                                             \
	X(26, InvalidDestMac, "destination address is not valid here")                             \
	X(27, InvalidSourceMac, "source address is multicast, broadcast or zero")                  \
	X(28, InvalidFirstNBTooSmall, "shorter than an Ethernet header")                           \
	X(29, Wnv, "network virtualization")                                                       \
	X(30, StormLimit, "over the storm limit")                                                  \
	X(31, InjectedIcmp, "answered by an injected ICMP message")                                \
	X(32, FailedDestinationListUpdate, "destination list could not be updated")                \
	X(33, NicDisabled, "the NIC's link is down")                                               \
	X(34, FailedPacketFilter, "failed the packet filter")                                      \
	X(35, SwitchDataFlowDisabled, "data flow of the switch is disabled")                       \
	X(36, FilteredIsolationUntagged, "untagged frame on an isolated port")                     \
	X(37, InvalidPDQueue, "invalid queue")                                                     \
	X(38, LowPower, "filtered in low power")

enum drop_reason {
#define X(number, name, text) DROP_##name = number,
	DROP_REASONS(X)
#undef X
		DROP_COUNT // number of reasons
};

enum drop_direction { DROP_IN, DROP_OUT, DROP_DIRECTIONS };
