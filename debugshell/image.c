#include "debugshell/image.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debugshell/elf_id.h"

struct image {
	int fd;
	Elf *elf;
	GElf_Ehdr ehdr;
	size_t names; // section index of the section names
};

static size_t image_id_note(const struct image *image, const GElf_Phdr *ph,
			    uint8_t id[IMAGE_ID_MAX]);
static int image_pread(int fd, uint64_t offset, void *buf, size_t size);
static int image_symbol_in(const struct image *image, Elf_Scn *scn, const GElf_Shdr *shdr,
			   const char *name, struct image_place *ret);

int image_open(int fd, struct image **ret)
{
	struct image *image = calloc(1, sizeof(*image));

	if (image == NULL) {
		close(fd);
		return -ENOMEM;
	}
	image->fd = fd;
	if (elf_version(EV_CURRENT) == EV_NONE)
		goto not_elf;
	image->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (image->elf == NULL || gelf_getehdr(image->elf, &image->ehdr) == NULL ||
	    gelf_getclass(image->elf) != ELFCLASS64 || image->ehdr.e_machine != EM_X86_64 ||
	    (image->ehdr.e_type != ET_EXEC && image->ehdr.e_type != ET_DYN) ||
	    elf_getshdrstrndx(image->elf, &image->names) != 0)
		goto not_elf;
	*ret = image;
	return 0;
not_elf:
	image_close(image);
	return -ENOEXEC;
}

void image_close(struct image *image)
{
	if (image == NULL)
		return;
	elf_end(image->elf);
	close(image->fd);
	free(image);
}

uint64_t image_entry(const struct image *image)
{
	return image->ehdr.e_entry;
}

size_t image_build_id(const struct image *image, uint8_t id[IMAGE_ID_MAX])
{
	size_t n, size = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(image->elf, &n) != 0)
		return 0;
	for (size_t i = 0; i < n && i < INT32_MAX && size == 0; i++)
		if (gelf_getphdr(image->elf, (int)i, &ph) != NULL && ph.p_type == PT_NOTE)
			size = image_id_note(image, &ph, id);
	return size;
}

int image_read(const struct image *image, uint64_t vaddr, void *buf, size_t size)
{
	GElf_Phdr ph;
	size_t n;

	if (elf_getphdrnum(image->elf, &n) != 0)
		return -ENODATA;
	for (size_t i = 0; i < n && i < INT32_MAX; i++) {
		if (gelf_getphdr(image->elf, (int)i, &ph) == NULL || ph.p_type != PT_LOAD ||
		    (ph.p_flags & PF_W) != 0 || vaddr - ph.p_vaddr >= ph.p_filesz ||
		    size > ph.p_filesz - (vaddr - ph.p_vaddr))
			continue;
		return image_pread(image->fd, ph.p_offset + (vaddr - ph.p_vaddr), buf, size);
	}
	return -ENODATA;
}

int image_section(const struct image *image, const char *name, struct image_place *ret)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	const char *its;

	while ((scn = elf_nextscn(image->elf, scn)) != NULL) {
		if (gelf_getshdr(scn, &shdr) == NULL || (shdr.sh_flags & SHF_ALLOC) == 0)
			continue;
		its = elf_strptr(image->elf, image->names, shdr.sh_name);
		if (its == NULL || strcmp(its, name) != 0)
			continue;
		*ret = (struct image_place){shdr.sh_addr, shdr.sh_offset, shdr.sh_size};
		return 0;
	}
	return -ENOENT;
}

int image_symbol(const struct image *image, const char *name, struct image_place *ret)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(image->elf, scn)) != NULL) {
		if (gelf_getshdr(scn, &shdr) == NULL)
			continue;
		if (shdr.sh_type != SHT_SYMTAB && shdr.sh_type != SHT_DYNSYM)
			continue;
		if (image_symbol_in(image, scn, &shdr, name, ret) == 0)
			return 0;
	}
	return -ENOENT;
}

static size_t image_id_note(const struct image *image, const GElf_Phdr *ph,
			    uint8_t id[IMAGE_ID_MAX])
{
	Elf_Data *data =
		elf_getdata_rawchunk(image->elf, (int64_t)ph->p_offset, ph->p_filesz, ELF_T_BYTE);
	size_t at, size = data != NULL ? elf_id_find(data->d_buf, data->d_size, &at) : 0;

	if (size > 0)
		memcpy(id, (const uint8_t *)data->d_buf + at, size);
	return size;
}

static int image_pread(int fd, uint64_t offset, void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

static int image_symbol_in(const struct image *image, Elf_Scn *scn, const GElf_Shdr *shdr,
			   const char *name, struct image_place *ret)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Sym sym;
	const char *its;

	if (data == NULL || shdr->sh_entsize == 0)
		return -ENOENT;
	for (size_t i = 0; i < shdr->sh_size / shdr->sh_entsize && i < INT32_MAX; i++) {
		if (gelf_getsym(data, (int)i, &sym) == NULL || sym.st_shndx == SHN_UNDEF)
			continue;
		its = elf_strptr(image->elf, shdr->sh_link, sym.st_name);
		if (its == NULL || strcmp(its, name) != 0)
			continue;
		*ret = (struct image_place){.vaddr = sym.st_value, .size = sym.st_size};
		return 0;
	}
	return -ENOENT;
}
