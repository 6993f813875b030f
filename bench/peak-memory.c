/*
 * peak-memory.c: looks every few milliseconds at the processes below a
 * postmaster that work for a client (backends and parallel workers) and, when
 * told to stop by SIGTERM, prints the most that any one of them held, in MB:
 * memory of its own (RssAnon), and the high-water mark of all that was mapped
 * and touched, shared buffers included (VmHWM).
 *
 *   peak-memory POSTMASTER_PID DATABASE
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t stopped;

static void
stop(int signo)
{
	(void) signo;
	stopped = 1;
}

static size_t
slurp(const char *pid, const char *what, char *buf, size_t size)
{
	char		path[64];
	FILE	   *f;
	size_t		n;

	snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, what);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
	return n;
}

static long
field(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at == NULL ? 0 : atol(at + strlen(name));
}

int
main(int argc, char **argv)
{
	long		anon = 0,
				hwm = 0;
	struct timespec pause = {0, 10 * 1000 * 1000};
	char		title[128];

	if (argc != 3)
		return 2;
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	snprintf(title, sizeof(title), " %s ", argv[2]);
	while (!stopped)
	{
		DIR		   *proc = opendir("/proc");
		struct dirent *d;

		while (proc != NULL && (d = readdir(proc)) != NULL)
		{
			char		buf[4096];

			if (!isdigit((unsigned char) d->d_name[0]))
				continue;
			if (slurp(d->d_name, "cmdline", buf, sizeof(buf)) == 0 || strncmp(buf, "postgres: ", 10) != 0)
				continue;
			if (strstr(buf, "parallel worker") == NULL && strstr(buf, title) == NULL)
				continue;
			if (slurp(d->d_name, "status", buf, sizeof(buf)) == 0 || field(buf, "PPid:") != atol(argv[1]))
				continue;
			if (field(buf, "RssAnon:") > anon)
				anon = field(buf, "RssAnon:");
			if (field(buf, "VmHWM:") > hwm)
				hwm = field(buf, "VmHWM:");
		}
		if (proc != NULL)
			closedir(proc);
		nanosleep(&pause, NULL);
	}
	printf("%ld %ld\n", (anon + 1023) / 1024, (hwm + 1023) / 1024);
	return 0;
}
