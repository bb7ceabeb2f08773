#include "ports/hostio.h"

#include <errno.h>

enum drop_reason hostio_drop_reason(int err)
{
	switch (err) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_Resources;
	case EIO:
	case ENETDOWN:
		return DROP_NicDisabled;
	case EFAULT:
		return DROP_InvalidData;
	case EINVAL:
		return DROP_InvalidPacket;
	case EMSGSIZE:
		return DROP_MTUMismatch;
	case EBADFD:
	case EBADF:
	case ENXIO:
	case ENODEV:
		return DROP_Disconnected;
	default:
		return DROP_NotAccepted;
	}
}
