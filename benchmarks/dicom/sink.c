/* The floor: a C-STORE receiver that does nothing a gateway must but take the bytes and make them durable.
 * sink PORT FOLDER file|segment: "file" writes and fsyncs a file an instance, "segment" appends to one file and fdatasyncs it. */
#include "dicom.h"

#define EXPLICIT_LE "1.2.840.10008.1.2.1"
#define CAPACITY (16 << 20)

static const char *folder;
static int segmented, segment_fd;
static atomic_long segment_end;
static atomic_int next_file;

static void accept_association(int fd, const uint8_t *request, uint32_t size) {
    uint8_t pdu[8192] = {2, 0}, *p = pdu + 6, user[64], *u = user, raw[4] = {0, 2, 0, 0};
    memcpy(p, request, 68); p += 68;
    p = put_item(p, 0x10, "1.2.840.10008.3.1.1.1", 21);
    for (uint32_t at = 68; at + 4 <= size; at += 4 + (request[at + 2] << 8 | request[at + 3]))
        if (request[at] == 0x20) {
            uint8_t inner[64] = {request[at + 4], 0, 0, 0}, *q = put_item(inner + 4, 0x40, EXPLICIT_LE, strlen(EXPLICIT_LE));
            p = put_item(p, 0x21, inner, q - inner);
        }
    u = put_item(u, 0x51, raw, 4);
    u = put_item(u, 0x52, "1.2.826.0.1.3680043.9.7777.8", 28);
    p = put_item(p, 0x50, user, u - user);
    put_be32(pdu + 2, p - pdu - 6);
    write_all(fd, pdu, p - pdu);
}

static void respond(int fd, const uint8_t *request, uint32_t size) {
    uint8_t pdu[1024] = {4, 0}, *start = pdu + 12, *p = start + 12;
    const uint8_t *uid = NULL, *klass = NULL, *id = NULL;
    uint32_t uid_size = 0, class_size = 0;
    for (uint32_t at = 0; at + 8 <= size;) {
        uint32_t length = request[at + 4] | request[at + 5] << 8, element = request[at + 2] | request[at + 3] << 8;
        if (element == 2) { klass = request + at + 8; class_size = length; }
        if (element == 0x110) id = request + at + 8;
        if (element == 0x1000) { uid = request + at + 8; uid_size = length; }
        at += 8 + length;
    }
    p = put_command(p, 2, klass, class_size);
    p = put_command_us(p, 0x100, 0x8001);
    p = put_command(p, 0x120, id, 2);
    p = put_command_us(p, 0x800, 0x101);
    p = put_command_us(p, 0x900, 0);
    p = put_command(p, 0x1000, uid, uid_size);
    finish_command(start, p);
    put_be32(pdu + 2, p - pdu - 6); put_be32(pdu + 6, p - pdu - 10); pdu[10] = 1; pdu[11] = 3;
    write_all(fd, pdu, p - pdu);
}

static void keep(const uint8_t *data, size_t size) {
    if (segmented) {
        long at = atomic_fetch_add(&segment_end, (size + 4095) & ~4095L);
        if (pwrite(segment_fd, data, size, at) != (ssize_t)size) die("pwrite");
        if (fdatasync(segment_fd)) die("fdatasync");
        return;
    }
    char path[512];
    sprintf(path, "%s/%08d", folder, next_file++);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || fsync(fd)) die(path);
    close(fd);
}

static void *serve(void *argument) {
    int fd = (int)(intptr_t)argument;
    uint8_t head[12], command[1024];
    uint8_t *data = malloc(CAPACITY);
    size_t used = 0, command_size = 0;
    no_delay(fd);
    while (read_all(fd, head, 6)) {
        uint32_t size = be32(head + 2);
        if (head[0] == 4) {
            if (!read_all(fd, head + 6, 6)) break;
            size -= 6;
            if (head[11] & 1) {
                if (size > sizeof command || !read_all(fd, command, size)) break;
                command_size = size; used = 0;
                continue;
            }
            if (used + size > CAPACITY || !read_all(fd, data + used, size)) break;
            used += size;
            if (head[11] & 2) { keep(data, used); respond(fd, command, command_size); }
        } else {
            if (size > CAPACITY || !read_all(fd, data, size)) break;
            if (head[0] == 1) accept_association(fd, data, size);
            if (head[0] == 5) { uint8_t answer[10] = {6, 0, 0, 0, 0, 4}; write_all(fd, answer, 10); }
            if (head[0] == 7) break;
        }
    }
    close(fd);
    free(data);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 4) { fprintf(stderr, "usage: see the source\n"); return 2; }
    folder = argv[2];
    segmented = !strcmp(argv[3], "segment");
    if (segmented) {
        char path[512];
        sprintf(path, "%s/segment", folder);
        segment_fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (segment_fd < 0) die(path);
    }
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 64)) die("bind");
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd);
        pthread_detach(thread);
    }
}
