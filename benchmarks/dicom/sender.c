/* C-STORE sender on raw sockets: sender PORT AET ASSOCIATIONS COUNT PIXEL_BYTES RUN WINDOW NAGLE | sender dump PIXEL_BYTES RUN INDEX
 * Sends COUNT instances, each once, over ASSOCIATIONS parallel associations; prints seconds, its own CPU seconds and how many
 * were answered 0000. WINDOW > 1 negotiates asynchronous operations. "dump" writes one dataset to stdout, for verification. */
#include "dicom.h"

#define CT "1.2.840.10008.5.1.4.1.1.2"
#define EXPLICIT_LE "1.2.840.10008.1.2.1"

static int port, count, pixel_bytes, run_id, window, nagle;
static const char *aet;
static atomic_int next_index, stored;

static uint8_t *put_text(uint8_t *p, int group, int element, const char *vr, const char *value) {
    size_t size = strlen(value), even = size + size % 2;
    put_le16(p, group); put_le16(p + 2, element); memcpy(p + 4, vr, 2); put_le16(p + 6, even);
    memcpy(p + 8, value, size);
    if (size % 2) p[8 + size] = strcmp(vr, "UI") ? ' ' : 0;
    return p + 8 + even;
}

static uint8_t *put_us(uint8_t *p, int group, int element, unsigned value) {
    put_le16(p, group); put_le16(p + 2, element); memcpy(p + 4, "US", 2); put_le16(p + 6, 2); put_le16(p + 8, value);
    return p + 10;
}

static void instance_uid(char *text, int index) { sprintf(text, "1.2.826.0.1.3680043.9.7777.%d.1.%06d", run_id, index + 1); }

#define HEAD 4096

/* Pixels once for all: `buffer` holds HEAD + pixel_bytes. */
static void make_pixels(uint8_t *buffer) {
    uint32_t seed = 2463534242u;
    for (int i = 0; i + 4 <= pixel_bytes; i += 4) {
        seed ^= seed << 13; seed ^= seed >> 17; seed ^= seed << 5;
        put_le32(buffer + HEAD + i, seed & 0x0FFF0FFF);
    }
}

/* A CT instance, 100 a series, ten series a study: put before the pixels, whose first word differs too. Returns its start. */
static uint8_t *dataset(uint8_t *buffer, int index) {
    char text[80];
    uint8_t head[HEAD], *p = head;
    p = put_text(p, 8, 5, "CS", "ISO_IR 192");
    p = put_text(p, 8, 8, "CS", "ORIGINAL\\PRIMARY\\AXIAL");
    p = put_text(p, 8, 0x16, "UI", CT);
    instance_uid(text, index);
    p = put_text(p, 8, 0x18, "UI", text);
    p = put_text(p, 8, 0x20, "DA", "20260701");
    p = put_text(p, 8, 0x30, "TM", "101500");
    sprintf(text, "ACC%d%05d", run_id, index / 1000);
    p = put_text(p, 8, 0x50, "SH", text);
    p = put_text(p, 8, 0x60, "CS", "CT");
    p = put_text(p, 8, 0x70, "LO", "Benchmark");
    p = put_text(p, 8, 0x1030, "LO", "Chest");
    p = put_text(p, 0x10, 0x10, "PN", "Bench^Mark");
    sprintf(text, "P%d%05d", run_id, index / 1000);
    p = put_text(p, 0x10, 0x20, "LO", text);
    p = put_text(p, 0x10, 0x30, "DA", "19700101");
    p = put_text(p, 0x10, 0x40, "CS", "O");
    sprintf(text, "1.2.826.0.1.3680043.9.7777.%d.2.%d", run_id, index / 1000 + 1);
    p = put_text(p, 0x20, 0xD, "UI", text);
    sprintf(text, "1.2.826.0.1.3680043.9.7777.%d.3.%d", run_id, index / 100 + 1);
    p = put_text(p, 0x20, 0xE, "UI", text);
    sprintf(text, "%d", index / 100 % 10 + 1);
    p = put_text(p, 0x20, 0x11, "IS", text);
    sprintf(text, "%d", index % 100 + 1);
    p = put_text(p, 0x20, 0x13, "IS", text);
    p = put_us(p, 0x28, 2, 1);
    p = put_text(p, 0x28, 4, "CS", "MONOCHROME2");
    p = put_us(p, 0x28, 0x10, pixel_bytes / 1024);
    p = put_us(p, 0x28, 0x11, 512);
    p = put_us(p, 0x28, 0x100, 16);
    p = put_us(p, 0x28, 0x101, 12);
    p = put_us(p, 0x28, 0x102, 11);
    p = put_us(p, 0x28, 0x103, 0);
    put_le16(p, 0x7FE0); put_le16(p + 2, 0x10); memcpy(p + 4, "OW\0\0", 4); put_le32(p + 8, pixel_bytes);
    p += 12;
    put_le32(buffer + HEAD, index);
    return memcpy(buffer + HEAD - (p - head), head, p - head);
}

static uint32_t associate(int fd) {
    uint8_t pdu[1024] = {1, 0}, *p = pdu + 6, inner[256], *q, user[128], *u = user, raw[4] = {0, 4, 0, 0};
    p[0] = 0; p[1] = 1; p += 4;
    memset(p, ' ', 32); memcpy(p, aet, strlen(aet)); memcpy(p + 16, "BENCH", 5); p += 32;
    memset(p, 0, 32); p += 32;
    p = put_item(p, 0x10, "1.2.840.10008.3.1.1.1", 21);
    inner[0] = 1; inner[1] = inner[2] = inner[3] = 0; q = inner + 4;
    q = put_item(q, 0x30, CT, strlen(CT));
    q = put_item(q, 0x40, EXPLICIT_LE, strlen(EXPLICIT_LE));
    p = put_item(p, 0x20, inner, q - inner);
    u = put_item(u, 0x51, raw, 4);
    u = put_item(u, 0x52, "1.2.826.0.1.3680043.9.7777.9", 28);
    if (window > 1) { uint8_t w[4] = {window >> 8, window, 0, 1}; u = put_item(u, 0x53, w, 4); }
    p = put_item(p, 0x50, user, u - user);
    put_be32(pdu + 2, p - pdu - 6);
    write_all(fd, pdu, p - pdu);
    uint8_t head[6];
    static __thread uint8_t body[65536];
    if (!read_all(fd, head, 6) || head[0] != 2 || be32(head + 2) > sizeof body) { fprintf(stderr, "no association\n"); exit(1); }
    uint32_t size = be32(head + 2), max = 16384;
    read_all(fd, body, size);
    for (uint32_t at = 68; at + 4 <= size;) {
        uint32_t length = body[at + 2] << 8 | body[at + 3];
        if (body[at] == 0x50) { at += 4; continue; }
        if (body[at] == 0x21 && body[at + 6]) { fprintf(stderr, "context refused\n"); exit(1); }
        if (body[at] == 0x51) max = be32(body + at + 4);
        at += 4 + length;
    }
    return max && max < (1u << 17) ? max : 1u << 17;
}

static void send_pdv(int fd, int control, const uint8_t *data, size_t size) {
    uint8_t head[12] = {4, 0};
    put_be32(head + 2, size + 6); put_be32(head + 6, size + 2); head[10] = 1; head[11] = control;
    struct iovec parts[2] = {{head, 12}, {(void *)data, size}};
    size_t left = 12 + size;
    while (left) {
        ssize_t put = writev(fd, parts, 2);
        if (put <= 0) die("writev");
        left -= (size_t)put;
        for (int i = 0; i < 2; i++) {
            size_t taken = (size_t)put < parts[i].iov_len ? (size_t)put : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + taken; parts[i].iov_len -= taken; put -= taken;
        }
    }
}

static void send_instance(int fd, int index, const uint8_t *data, size_t size, uint32_t max) {
    uint8_t command[512] = {0}, *p = command + 12;
    char uid[80];
    instance_uid(uid, index);
    p = put_command(p, 2, CT, strlen(CT));
    p = put_command_us(p, 0x100, 1);
    p = put_command_us(p, 0x110, index & 0xFFFF);
    p = put_command_us(p, 0x700, 0);
    p = put_command_us(p, 0x800, 1);
    p = put_command(p, 0x1000, uid, strlen(uid));
    finish_command(command, p);
    send_pdv(fd, 3, command, p - command);
    uint32_t piece = (max - 6) & ~1u;
    for (size_t at = 0; at < size; at += piece)
        send_pdv(fd, at + piece >= size ? 2 : 0, data + at, at + piece >= size ? size - at : piece);
}

static void take_response(int fd) {
    uint8_t head[6], body[1024];
    if (!read_all(fd, head, 6) || head[0] != 4 || be32(head + 2) > sizeof body) { fprintf(stderr, "no response, PDU %d\n", head[0]); exit(1); }
    uint32_t size = be32(head + 2);
    read_all(fd, body, size);
    for (uint32_t at = 6; at + 8 <= size;) {
        uint32_t length = body[at + 4] | body[at + 5] << 8;
        if ((body[at + 2] | body[at + 3] << 8) == 0x900) {
            unsigned status = body[at + 8] | body[at + 9] << 8;
            if (status) fprintf(stderr, "status %04X\n", status); else stored++;
        }
        at += 8 + length;
    }
}

static void *association(void *unused) {
    (void)unused;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (void *)&to, sizeof to)) die("connect");
    if (!nagle) no_delay(fd);
    uint32_t max = associate(fd);
    uint8_t *buffer = malloc(HEAD + pixel_bytes);
    int index, outstanding = 0;
    make_pixels(buffer);
    while ((index = next_index++) < count) {
        uint8_t *start = dataset(buffer, index);
        send_instance(fd, index, start, buffer + HEAD + pixel_bytes - start, max);
        if (++outstanding == window) { take_response(fd); outstanding--; }
    }
    while (outstanding--) take_response(fd);
    uint8_t release[10] = {5, 0, 0, 0, 0, 4}, answer[10];
    write_all(fd, release, 10);
    if (!read_all(fd, answer, 10) || answer[0] != 6) fprintf(stderr, "no release\n");
    close(fd);
    free(buffer);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 5 && !strcmp(argv[1], "dump")) {
        pixel_bytes = atoi(argv[2]); run_id = atoi(argv[3]);
        uint8_t *buffer = malloc(HEAD + pixel_bytes);
        make_pixels(buffer);
        uint8_t *start = dataset(buffer, atoi(argv[4]));
        write_all(1, start, buffer + HEAD + pixel_bytes - start);
        return 0;
    }
    if (argc != 9) { fprintf(stderr, "usage: see the source\n"); return 2; }
    port = atoi(argv[1]); aet = argv[2]; count = atoi(argv[4]); pixel_bytes = atoi(argv[5]); run_id = atoi(argv[6]);
    window = atoi(argv[7]); nagle = atoi(argv[8]);
    int associations = atoi(argv[3]);
    pthread_t threads[256];
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < associations; i++) pthread_create(&threads[i], NULL, association, NULL);
    for (int i = 0; i < associations; i++) pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("{\"seconds\": %.6f, \"cpu\": %.3f, \"stored\": %d}\n", b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9,
           use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6, stored);
    return stored == count ? 0 : 1;
}
