/* Runs a fuzz target over files and folders of inputs: the committed seeds as a plain test, or a case that was found.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz.h"

#define PATH_BYTES 4096

static unsigned long replayed;

static int file_replay(const char *path, size_t bytes)
{
	uint8_t *data = malloc(bytes ? bytes : 1);
	FILE *file = fopen(path, "rbe");
	size_t got = data && file ? fread(data, 1, bytes, file) : 0;

	if (file)
		fclose(file);
	if (!data || got != bytes) {
		fprintf(stderr, "%s: can not be read\n", path);
		free(data);
		return 1;
	}
	LLVMFuzzerTestOneInput(data, bytes);
	free(data);
	replayed++;
	return 0;
}

static int replay(const char *path)
{
	char below[PATH_BYTES];
	struct dirent *entry;
	struct stat st;
	int failed = 0;
	DIR *folder;

	if (stat(path, &st) < 0) {
		perror(path);
		return 1;
	}
	if (!S_ISDIR(st.st_mode))
		return file_replay(path, (size_t)st.st_size);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		failed |= replay(below);
	}
	if (folder)
		closedir(folder);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	fprintf(stderr, "%lu inputs\n", replayed); /* stdout may be the backend's pipe by now */
	return failed || !replayed;
}
