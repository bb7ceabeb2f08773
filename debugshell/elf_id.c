#include "debugshell/elf_id.h"

#include <elf.h>
#include <string.h>

#include "debugshell/image.h"

size_t elf_id_find(const uint8_t *notes, size_t size, size_t *x_at)
{
	uint64_t desc, at = 0;
	Elf64_Nhdr head;

	while (at < size && size - at >= sizeof(head)) {
		memcpy(&head, notes + at, sizeof(head));
		desc = at + sizeof(head) + (((uint64_t)head.n_namesz + 3) & ~3ULL);
		if (desc + head.n_descsz > size)
			return 0;
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    memcmp(notes + at + sizeof(head), ELF_NOTE_GNU, head.n_namesz) == 0 &&
		    head.n_descsz <= IMAGE_ID_MAX) {
			*x_at = desc;
			return head.n_descsz;
		}
		at = desc + (((uint64_t)head.n_descsz + 3) & ~3ULL);
	}
	return 0;
}
