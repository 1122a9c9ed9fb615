/* A disk that fails, and one that forgets: loaded into the program in front of the C library (LD_PRELOAD).
 *
 * FAULTY_DISK_DIR   calls for files below this directory are looked at, all others pass.
 * FAULTY_DISK_MODE  a file whose first letter says what fails now: f flushing (EIO), w writing (EIO), r every change (EROFS, as on a
 *                   file system that was remounted read-only), h no flush comes to its end until the letter changes (a slow disk),
 *                   anything else nothing.
 * FAULTY_DISK_KEPT  a directory that gets what a power failure would leave: nothing but what was flushed. See power_cut.rs.
 *
 * A flush that fails leaves its pages neither written nor dirty, as Linux does: the next flush succeeds without them.
 *
 * What is kept: i<inode> is the content of a file, d<inode>/<name> holds type and inode of an entry of a directory. Flushing a
 * file keeps its content and its entry; flushing a directory keeps all its entries.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct range {
    off_t start, end;
};

/* The pages of a file that are not flushed. */
struct dirty {
    ino_t inode;
    struct range *ranges;
    size_t count, room;
    struct dirty *next;
};

static struct dirty *dirty_files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static char mode(void)
{
    static int (*next_open)(const char *, int, ...);
    const char *path = getenv("FAULTY_DISK_MODE");
    char letter = 0;
    if (!path)
        return 0;
    if (!next_open)
        next_open = NEXT(open);
    int file = next_open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (read(file, &letter, 1) != 1)
            letter = 0;
        close(file);
    }
    return letter;
}

static int is_below(const char *path)
{
    const char *directory = getenv("FAULTY_DISK_DIR");
    size_t length = directory ? strlen(directory) : 0;
    return length && strncmp(path, directory, length) == 0;
}

/* Finds the path of an open file; returns whether it is one of ours. */
static int is_ours(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_below(path);
}

static int refused(const char *letters, int code)
{
    char now = mode();
    if (!now || !strchr(letters, now))
        return 0;
    errno = now == 'r' ? EROFS : code;
    return 1;
}

static struct dirty *dirty_of(ino_t inode)
{
    struct dirty *one;
    for (one = dirty_files; one; one = one->next)
        if (one->inode == inode)
            return one;
    one = calloc(1, sizeof *one);
    one->inode = inode;
    one->next = dirty_files;
    return dirty_files = one;
}

static void note_write(int fd, off_t start, off_t end)
{
    struct stat status;
    if (!getenv("FAULTY_DISK_KEPT") || fstat(fd, &status) || !S_ISREG(status.st_mode))
        return;
    pthread_mutex_lock(&lock);
    struct dirty *one = dirty_of(status.st_ino);
    if (one->count && one->ranges[one->count - 1].end == start) {
        one->ranges[one->count - 1].end = end;
    } else {
        if (one->count == one->room) {
            one->room = one->room ? 2 * one->room : 16;
            one->ranges = realloc(one->ranges, one->room * sizeof *one->ranges);
        }
        one->ranges[one->count++] = (struct range){start, end};
    }
    pthread_mutex_unlock(&lock);
}

/* Writes type and inode of an entry, all at once. */
static void keep_entry(ino_t directory, const char *name, ino_t inode, char type)
{
    const char *kept = getenv("FAULTY_DISK_KEPT");
    char folder[PATH_MAX], path[PATH_MAX], staging[PATH_MAX], text[64];
    snprintf(folder, sizeof folder, "%s/d%lu", kept, (unsigned long)directory);
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(staging, sizeof staging, "%s/staging-%lu-%d", kept, (unsigned long)pthread_self(), getpid());
    int length = snprintf(text, sizeof text, "%c%lu", type, (unsigned long)inode);
    int file = NEXT(open)(staging, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || NEXT(write)(file, text, length) != length)
        abort();
    close(file);
    if (NEXT(rename)(staging, path))
        abort();
}

static void keep_directory(const char *path, ino_t inode)
{
    const char *kept = getenv("FAULTY_DISK_KEPT");
    char folder[PATH_MAX], other[PATH_MAX];
    struct dirent *entry;
    struct stat status;
    DIR *directory = opendir(path);
    if (!directory)
        return;
    while ((entry = readdir(directory))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(other, sizeof other, "%s/%s", path, entry->d_name);
        if (!lstat(other, &status))
            keep_entry(inode, entry->d_name, status.st_ino, S_ISDIR(status.st_mode) ? 'd' : 'f');
    }
    closedir(directory);
    snprintf(folder, sizeof folder, "%s/d%lu", kept, (unsigned long)inode);
    directory = opendir(folder);
    if (!directory)
        return;
    while ((entry = readdir(directory))) {
        snprintf(other, sizeof other, "%s/%s", path, entry->d_name);
        if (lstat(other, &status)) {
            snprintf(other, sizeof other, "%s/%s", folder, entry->d_name);
            NEXT(unlink)(other);
        }
    }
    closedir(directory);
}

static void keep_file(int fd, const char *path, const struct stat *status, struct dirty *one)
{
    const char *kept = getenv("FAULTY_DISK_KEPT");
    char other[PATH_MAX];
    static char piece[1 << 16];
    snprintf(other, sizeof other, "/proc/self/fd/%d", fd);
    int from = NEXT(open)(other, O_RDONLY | O_CLOEXEC);
    snprintf(other, sizeof other, "%s/i%lu", kept, (unsigned long)status->st_ino);
    int to = NEXT(open)(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        abort();
    for (size_t i = 0; i < one->count; i++) {
        off_t at = one->ranges[i].start;
        while (at < one->ranges[i].end) {
            size_t wanted = one->ranges[i].end - at;
            ssize_t length = pread(from, piece, wanted < sizeof piece ? wanted : sizeof piece, at);
            if (length <= 0)
                break;
            if (NEXT(pwrite)(to, piece, length, at) != length)
                abort();
            at += length;
        }
    }
    if (NEXT(ftruncate)(to, status->st_size))
        abort();
    close(from);
    close(to);
    char folder[PATH_MAX], *name;
    struct stat parent;
    snprintf(folder, sizeof folder, "%s", path);
    name = strrchr(folder, '/');
    /* A file that was deleted has no entry any more. */
    if (!name || strstr(name, " (deleted)"))
        return;
    *name++ = 0;
    if (!stat(folder, &parent))
        keep_entry(parent.st_ino, name, status->st_ino, 'f');
}

static int flush(int fd, int (*next)(int))
{
    char path[PATH_MAX];
    struct stat status;
    if (!is_ours(fd, path))
        return next(fd);
    while (mode() == 'h')
        usleep(1000);
    int fails = refused("f", EIO);
    if (getenv("FAULTY_DISK_KEPT") && !fstat(fd, &status)) {
        pthread_mutex_lock(&lock);
        if (S_ISDIR(status.st_mode)) {
            if (!fails)
                keep_directory(path, status.st_ino);
        } else {
            struct dirty *one = dirty_of(status.st_ino);
            if (!fails)
                keep_file(fd, path, &status, one);
            one->count = 0;
        }
        pthread_mutex_unlock(&lock);
    }
    if (fails) {
        errno = EIO;
        return -1;
    }
    return next(fd);
}

int fsync(int fd)
{
    return flush(fd, NEXT(fsync));
}

int fdatasync(int fd)
{
    return flush(fd, NEXT(fdatasync));
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    static ssize_t (*next)(int, const void *, size_t);
    char path[PATH_MAX];
    if (!next)
        next = NEXT(write);
    if (!is_ours(fd, path))
        return next(fd, bytes, count);
    if (refused("wr", EIO))
        return -1;
    ssize_t written = next(fd, bytes, count);
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (written > 0)
        note_write(fd, end - written, end);
    return written;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    char path[PATH_MAX];
    if (!is_ours(fd, path))
        return NEXT(writev)(fd, parts, count);
    if (refused("wr", EIO))
        return -1;
    ssize_t written = NEXT(writev)(fd, parts, count);
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (written > 0)
        note_write(fd, end - written, end);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    char path[PATH_MAX];
    if (!is_ours(fd, path))
        return NEXT(pwrite64)(fd, bytes, count, offset);
    if (refused("wr", EIO))
        return -1;
    ssize_t written = NEXT(pwrite64)(fd, bytes, count, offset);
    if (written > 0)
        note_write(fd, offset, offset + written);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return pwrite64(fd, bytes, count, offset);
}

int ftruncate64(int fd, off64_t length)
{
    char path[PATH_MAX];
    if (is_ours(fd, path) && refused("r", EROFS))
        return -1;
    return NEXT(ftruncate64)(fd, length);
}

int ftruncate(int fd, off_t length)
{
    return ftruncate64(fd, length);
}

static int opens_for_change(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
}

#define OPEN(name)                                                                    \
    int name(const char *path, int flags, ...)                                        \
    {                                                                                 \
        va_list arguments;                                                            \
        va_start(arguments, flags);                                                   \
        mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0; \
        va_end(arguments);                                                            \
        if (is_below(path) && opens_for_change(flags) && refused("r", EROFS))         \
            return -1;                                                                \
        return NEXT(name)(path, flags, permissions);                                  \
    }

OPEN(open)
OPEN(open64)

int unlink(const char *path)
{
    if (is_below(path) && refused("r", EROFS))
        return -1;
    return NEXT(unlink)(path);
}

int rename(const char *from, const char *to)
{
    if (is_below(to) && refused("r", EROFS))
        return -1;
    return NEXT(rename)(from, to);
}
