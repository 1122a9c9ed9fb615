/*
 * Runs a program and records what it does to the files below a directory, in order, so that a test can work out what a power failure
 * at any point in time would have left.
 *
 *   record_writes LOG DIRECTORY PROGRAM [ARGUMENTS...]
 *
 * The log is a sequence of lines; "write" is followed by the bytes. Files are told apart by their inodes:
 *
 *   create INODE PATH        mkdir PATH          truncate INODE LENGTH      write INODE OFFSET LENGTH
 *   rename FROM<TAB>TO       unlink PATH         rmdir PATH                 link FROM<TAB>TO
 *   sync-begin THREAD INODE  sync-end THREAD INODE
 *
 * A line stands in the log before the program goes on. What was written before a "sync-begin" is on the disk at its "sync-end".
 *
 * Why ptrace and not a library that is loaded first? Some of the program's system calls don't go through the C library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define THREADS_MAX 1024
#define IOVECS_MAX 1024

static int log_file;
static const char *root;
static size_t root_length;

static void fail(const char *what) {
    perror(what);
    exit(125);
}

static void append(const void *bytes, size_t length) {
    const char *rest = bytes;
    while (length > 0) {
        ssize_t written = write(log_file, rest, length);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            fail("record_writes: the log");
        }
        rest += written;
        length -= (size_t)written;
    }
}

/* What a thread is in the middle of: recorded when the call succeeded. */
struct call {
    pid_t thread;
    long number;
    char line[3 * PATH_BYTES];
    char path[PATH_BYTES];
    char *data;
    size_t data_length;
    int existed;
    long long inode;
};

static struct call calls[THREADS_MAX];

static struct call *call_of(pid_t thread) {
    struct call *free_one = NULL;
    for (int index = 0; index < THREADS_MAX; index++) {
        if (calls[index].thread == thread)
            return &calls[index];
        if (calls[index].thread == 0 && free_one == NULL)
            free_one = &calls[index];
    }
    if (free_one == NULL)
        fail("record_writes: too many threads");
    memset(free_one, 0, sizeof *free_one);
    free_one->thread = thread;
    return free_one;
}

static int below_root(const char *path) {
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static size_t read_memory(pid_t thread, unsigned long long address, void *to, size_t length) {
    struct iovec local = {to, length}, remote = {(void *)(uintptr_t)address, length};
    ssize_t count = process_vm_readv(thread, &local, 1, &remote, 1, 0);
    return count < 0 ? 0 : (size_t)count;
}

static void read_text(pid_t thread, unsigned long long address, char *to, size_t room) {
    size_t length = 0;
    while (length + 1 < room) {
        /* Not beyond the end of a page: the next one may not be there. */
        size_t piece = 256 - (address + length) % 256;
        if (piece > room - 1 - length)
            piece = room - 1 - length;
        size_t count = read_memory(thread, address + length, to + length, piece);
        if (count == 0)
            break;
        char *end = memchr(to + length, 0, count);
        if (end != NULL)
            return;
        length += count;
    }
    to[length] = 0;
}

/* Writes the path of an open file. */
static int path_of(pid_t thread, int descriptor, char *to) {
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, descriptor);
    ssize_t length = readlink(link, to, PATH_BYTES - 1);
    if (length < 0)
        return 0;
    to[length] = 0;
    return 1;
}

/* Writes the absolute path of an argument, relative to a directory that may be the working directory. */
static void resolve(pid_t thread, int directory, unsigned long long address, char *to) {
    char text[PATH_BYTES];
    read_text(thread, address, text, sizeof text);
    if (text[0] == '/') {
        snprintf(to, PATH_BYTES, "%s", text);
        return;
    }
    char base[PATH_BYTES], link[64];
    if (directory == AT_FDCWD) {
        snprintf(link, sizeof link, "/proc/%d/cwd", thread);
        ssize_t length = readlink(link, base, sizeof base - 1);
        base[length < 0 ? 0 : length] = 0;
    } else if (!path_of(thread, directory, base)) {
        base[0] = 0;
    }
    if (text[0] == 0)
        snprintf(to, PATH_BYTES, "%s", base);
    else
        snprintf(to, PATH_BYTES, "%.2000s/%.2000s", base, text);
}

static long long inode_of(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 ? (long long)found.st_ino : -1;
}

/* Finds the inode of an open file below the directory. */
static long long open_inode(pid_t thread, int descriptor, struct stat *found) {
    char path[PATH_BYTES], link[64];
    if (!path_of(thread, descriptor, path) || !below_root(path))
        return -1;
    snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, descriptor);
    return stat(link, found) == 0 ? (long long)found->st_ino : -1;
}

static long long position_of(pid_t thread, int descriptor, const struct stat *found) {
    char name[64], line[128];
    long long position = 0, flags = 0;
    snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", thread, descriptor);
    FILE *info = fopen(name, "r");
    if (info == NULL)
        return 0;
    while (fgets(line, sizeof line, info) != NULL) {
        sscanf(line, "pos: %lld", &position);
        sscanf(line, "flags: %llo", (unsigned long long *)&flags);
    }
    fclose(info);
    return flags & O_APPEND ? (long long)found->st_size : position;
}

static void forget(struct call *call) {
    free(call->data);
    call->data = NULL;
    call->data_length = 0;
    call->line[0] = 0;
    call->path[0] = 0;
    call->number = -1;
    call->inode = -1;
}

/* Takes the bytes of a write. */
static void take_bytes(pid_t thread, struct call *call, const struct iovec *pieces, int count) {
    size_t length = 0;
    for (int index = 0; index < count; index++)
        length += pieces[index].iov_len;
    call->data = malloc(length + 1);
    if (call->data == NULL)
        fail("record_writes: memory");
    call->data_length = 0;
    for (int index = 0; index < count; index++)
        call->data_length += read_memory(thread, (unsigned long long)(uintptr_t)pieces[index].iov_base,
                                         call->data + call->data_length, pieces[index].iov_len);
}

static void begin_write(pid_t thread, struct call *call, int descriptor, const struct iovec *pieces, int count,
                        long long offset) {
    struct stat found;
    call->inode = open_inode(thread, descriptor, &found);
    if (call->inode < 0)
        return;
    if (offset < 0)
        offset = position_of(thread, descriptor, &found);
    take_bytes(thread, call, pieces, count);
    snprintf(call->line, sizeof call->line, "write %lld %lld", call->inode, offset);
}

static void begin_open(pid_t thread, struct call *call, int directory, unsigned long long path,
                       unsigned long long flags) {
    resolve(thread, directory, path, call->path);
    if (!below_root(call->path) || (flags & (O_CREAT | O_TRUNC)) == 0) {
        call->path[0] = 0;
        return;
    }
    call->existed = inode_of(call->path) >= 0;
    snprintf(call->line, sizeof call->line, "%s", flags & O_TRUNC ? "truncating" : "opening");
}

static void begin_paths(struct call *call, const char *verb, const char *from, const char *to) {
    if (!below_root(from) && (to == NULL || !below_root(to)))
        return;
    if (to == NULL)
        snprintf(call->line, sizeof call->line, "%s %s\n", verb, from);
    else
        snprintf(call->line, sizeof call->line, "%s %s\t%s\n", verb, from, to);
}

static void begin(pid_t thread, long number, const unsigned long long *arguments) {
    struct call *call = call_of(thread);
    forget(call);
    call->number = number;
    char from[PATH_BYTES], to[PATH_BYTES];
    struct iovec pieces[IOVECS_MAX];
    struct stat found;
    switch (number) {
#ifdef SYS_open
    case SYS_open:
        begin_open(thread, call, AT_FDCWD, arguments[0], arguments[1]);
        break;
    case SYS_creat:
        begin_open(thread, call, AT_FDCWD, arguments[0], O_CREAT | O_TRUNC);
        break;
    case SYS_mkdir:
        resolve(thread, AT_FDCWD, arguments[0], from);
        begin_paths(call, "mkdir", from, NULL);
        break;
    case SYS_unlink:
        resolve(thread, AT_FDCWD, arguments[0], from);
        begin_paths(call, "unlink", from, NULL);
        break;
    case SYS_rmdir:
        resolve(thread, AT_FDCWD, arguments[0], from);
        begin_paths(call, "rmdir", from, NULL);
        break;
    case SYS_rename:
        resolve(thread, AT_FDCWD, arguments[0], from);
        resolve(thread, AT_FDCWD, arguments[1], to);
        begin_paths(call, "rename", from, to);
        break;
    case SYS_link:
        resolve(thread, AT_FDCWD, arguments[0], from);
        resolve(thread, AT_FDCWD, arguments[1], to);
        begin_paths(call, "link", from, to);
        break;
#endif
    case SYS_openat:
        begin_open(thread, call, (int)arguments[0], arguments[1], arguments[2]);
        break;
    case SYS_mkdirat:
        resolve(thread, (int)arguments[0], arguments[1], from);
        begin_paths(call, "mkdir", from, NULL);
        break;
    case SYS_unlinkat:
        resolve(thread, (int)arguments[0], arguments[1], from);
        begin_paths(call, arguments[2] & AT_REMOVEDIR ? "rmdir" : "unlink", from, NULL);
        break;
#ifdef SYS_renameat
    case SYS_renameat:
#endif
    case SYS_renameat2:
        resolve(thread, (int)arguments[0], arguments[1], from);
        resolve(thread, (int)arguments[2], arguments[3], to);
        begin_paths(call, "rename", from, to);
        break;
    case SYS_linkat:
        resolve(thread, (int)arguments[0], arguments[1], from);
        resolve(thread, (int)arguments[2], arguments[3], to);
        begin_paths(call, "link", from, to);
        break;
    case SYS_write:
        pieces[0] = (struct iovec){(void *)(uintptr_t)arguments[1], arguments[2]};
        begin_write(thread, call, (int)arguments[0], pieces, 1, -1);
        break;
    case SYS_pwrite64:
        pieces[0] = (struct iovec){(void *)(uintptr_t)arguments[1], arguments[2]};
        begin_write(thread, call, (int)arguments[0], pieces, 1, (long long)arguments[3]);
        break;
    case SYS_writev:
    case SYS_pwritev: {
        int count = arguments[2] > IOVECS_MAX ? IOVECS_MAX : (int)arguments[2];
        read_memory(thread, arguments[1], pieces, (size_t)count * sizeof pieces[0]);
        begin_write(thread, call, (int)arguments[0], pieces, count,
                    number == SYS_writev ? -1 : (long long)arguments[3]);
        break;
    }
    case SYS_ftruncate:
        call->inode = open_inode(thread, (int)arguments[0], &found);
        if (call->inode >= 0)
            snprintf(call->line, sizeof call->line, "truncate %lld %lld\n", call->inode, (long long)arguments[1]);
        break;
    case SYS_fallocate:
        call->inode = open_inode(thread, (int)arguments[0], &found);
        if (call->inode >= 0 && arguments[1] == 0 && (long long)(arguments[2] + arguments[3]) > found.st_size)
            snprintf(call->line, sizeof call->line, "truncate %lld %lld\n", call->inode,
                     (long long)(arguments[2] + arguments[3]));
        break;
    case SYS_fsync:
    case SYS_fdatasync:
        call->inode = open_inode(thread, (int)arguments[0], &found);
        if (call->inode >= 0) {
            char line[64];
            int length = snprintf(line, sizeof line, "sync-begin %d %lld\n", thread, call->inode);
            append(line, (size_t)length);
            snprintf(call->line, sizeof call->line, "sync-end %d %lld\n", thread, call->inode);
        }
        break;
    }
}

static void end(pid_t thread, long long result) {
    struct call *call = call_of(thread);
    if (call->line[0] == 0 || result < 0) {
        forget(call);
        return;
    }
    if (call->data != NULL) {
        char line[128];
        size_t written = (size_t)result < call->data_length ? (size_t)result : call->data_length;
        int length = snprintf(line, sizeof line, "%.90s %zu\n", call->line, written);
        append(line, (size_t)length);
        append(call->data, written);
    } else if (call->path[0] != 0) {
        char line[PATH_BYTES + 64];
        long long inode = inode_of(call->path);
        int length = 0;
        if (!call->existed)
            length = snprintf(line, sizeof line, "create %lld %s\n", inode, call->path);
        else if (call->line[0] == 't')
            length = snprintf(line, sizeof line, "truncate %lld 0\n", inode);
        append(line, (size_t)length);
    } else {
        append(call->line, strlen(call->line));
    }
    forget(call);
}

static const long WATCHED[] = {
#ifdef SYS_open
    SYS_open, SYS_creat, SYS_mkdir, SYS_unlink, SYS_rmdir, SYS_rename, SYS_link,
#endif
#ifdef SYS_renameat
    SYS_renameat,
#endif
    SYS_openat,    SYS_mkdirat, SYS_unlinkat, SYS_renameat2, SYS_linkat,   SYS_write, SYS_pwrite64,
    SYS_writev,    SYS_pwritev, SYS_ftruncate, SYS_fallocate, SYS_fsync,   SYS_fdatasync,
};

static void watch_calls(void) {
    enum { COUNT = sizeof WATCHED / sizeof WATCHED[0] };
    struct sock_filter filter[2 * COUNT + 2];
    int length = 0;
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int index = 0; index < COUNT; index++) {
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)WATCHED[index], 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)length, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        fail("record_writes: the filter of system calls");
}

int main(int count, char **arguments) {
    if (count < 4) {
        fprintf(stderr, "usage: record_writes LOG DIRECTORY PROGRAM [ARGUMENTS...]\n");
        return 125;
    }
    log_file = open(arguments[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (log_file < 0)
        fail(arguments[1]);
    root = arguments[2];
    root_length = strlen(root);
    pid_t child = fork();
    if (child < 0)
        fail("record_writes: fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
            fail("record_writes: ptrace");
        raise(SIGSTOP);
        watch_calls();
        execvp(arguments[3], arguments + 3);
        fail(arguments[3]);
    }
    int status;
    waitpid(child, &status, 0);
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options) != 0)
        fail("record_writes: ptrace");
    ptrace(PTRACE_CONT, child, 0, 0);
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0) {
            if (errno == EINTR)
                continue;
            return 0;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            struct call *call = call_of(thread);
            forget(call);
            call->thread = 0;
            if (thread == child)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_SECCOMP || signal == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            memset(&info, 0, sizeof info);
            ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info);
            if (info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
                begin(thread, (long)info.seccomp.nr, (const unsigned long long *)info.seccomp.args);
                /* On to the end of the call. */
                ptrace(PTRACE_SYSCALL, thread, 0, 0);
                continue;
            }
            if (info.op == PTRACE_SYSCALL_INFO_EXIT)
                end(thread, info.exit.is_error ? -1 : info.exit.rval);
            ptrace(PTRACE_CONT, thread, 0, 0);
            continue;
        }
        /* Stops of ptrace itself are no signals of the program. */
        int is_own = event != 0 || signal == SIGTRAP || (signal == SIGSTOP && thread != child);
        ptrace(PTRACE_CONT, thread, 0, is_own ? 0 : signal);
    }
}
