/* What sender and sink share: reading and writing whole buffers, and PDU heads (PS3.8 9.3). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) { perror(what); exit(1); }

static int read_all(int fd, void *buffer, size_t size) {
    char *at = buffer;
    while (size) {
        ssize_t got = recv(fd, at, size, MSG_WAITALL);
        if (got <= 0) return 0;
        at += got; size -= (size_t)got;
    }
    return 1;
}

static void write_all(int fd, const void *buffer, size_t size) {
    const char *at = buffer;
    while (size) {
        ssize_t put = write(fd, at, size);
        if (put <= 0) die("write");
        at += put; size -= (size_t)put;
    }
}

static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static void put_be32(uint8_t *p, uint32_t v) { p[0] = v >> 24; p[1] = v >> 16; p[2] = v >> 8; p[3] = v; }
static void put_be16(uint8_t *p, uint32_t v) { p[0] = v >> 8; p[1] = v; }
static void put_le32(uint8_t *p, uint32_t v) { p[3] = v >> 24; p[2] = v >> 16; p[1] = v >> 8; p[0] = v; }
static void put_le16(uint8_t *p, uint32_t v) { p[1] = v >> 8; p[0] = v; }

static uint8_t *put_item(uint8_t *p, int kind, const void *body, size_t size) {
    p[0] = kind; p[1] = 0; put_be16(p + 2, size); memcpy(p + 4, body, size);
    return p + 4 + size;
}

/* A command element of group 0000, implicit little endian. */
static uint8_t *put_command(uint8_t *p, int element, const void *value, size_t size) {
    put_le16(p, 0); put_le16(p + 2, element); put_le32(p + 4, size + size % 2); memcpy(p + 8, value, size);
    if (size % 2) p[8 + size] = 0;
    return p + 8 + size + size % 2;
}

static uint8_t *put_command_us(uint8_t *p, int element, unsigned value) {
    uint8_t raw[2] = {value, value >> 8};
    return put_command(p, element, raw, 2);
}

static void finish_command(uint8_t *start, uint8_t *end) {
    uint8_t raw[4];
    put_le32(raw, end - start - 12);
    put_command(start, 0, raw, 4);
}

static void no_delay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
