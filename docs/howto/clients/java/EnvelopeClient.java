// 影像云前置机 HTTP 接口（三(一)、三(六)）的最小客户端：SM4 加密、签名、推送一条记录。
// 单个文件，只用 JDK（8 及以上），可直接放进 RIS/PACS 的接口程序里。SPDX-License-Identifier: Apache-2.0
//
//   java EnvelopeClient.java vector                                  用已知答案自检
//   java EnvelopeClient.java push 地址 医疗机构代码 密钥 记录.json   推送，如 http://ip:port/exam-sync
//   java EnvelopeClient.java seal 医疗机构代码 密钥 秒数 记录.json   只打印请求体

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public final class EnvelopeClient {
  /** 应答至多读这么多字节。 */
  static final int MAX_ANSWER = 16 << 20;

  public static void main(String[] args) throws Exception {
    if (args.length == 1 && args[0].equals("vector")) {
      vector();
    } else if (args.length == 5 && args[0].equals("push")) {
      System.exit(push(args[1], args[2], args[3], Files.readAllBytes(Paths.get(args[4]))));
    } else if (args.length == 5 && args[0].equals("seal")) {
      byte[] record = Files.readAllBytes(Paths.get(args[4]));
      System.out.println(envelope(args[1], fromHex(args[2]), Long.parseLong(args[3]), record));
    } else {
      System.err.println("用法：vector | push 地址 机构代码 密钥 记录.json | seal 机构代码 密钥 秒数 记录.json");
      System.exit(2);
    }
  }

  /** 请求体。record 是记录的 JSON（UTF-8，不带 BOM）；seconds 是标准 Unix 秒，不要加减 8 小时。 */
  static String envelope(String hospitalCode, byte[] key, long seconds, byte[] record)
      throws GeneralSecurityException {
    String data = Base64.getEncoder().encodeToString(Sm4.encrypt(key, record));
    String timestamp = Long.toString(seconds);
    // 参数名按字母升序：data、hospitalCode、timestamp；只拼接它们的值。
    String signature = sha1(data + hospitalCode + timestamp);
    return "{\"hospitalCode\":\"" + hospitalCode + "\",\"data\":\"" + data + "\",\"timestamp\":\"" + timestamp
        + "\",\"signature\":\"" + signature + "\"}";
  }

  static String sha1(String text) throws GeneralSecurityException {
    StringBuilder hex = new StringBuilder();
    for (byte b : MessageDigest.getInstance("SHA-1").digest(text.getBytes(StandardCharsets.UTF_8))) {
      hex.append(String.format("%02X", b));
    }
    return hex.toString();
  }

  /** 0 = 已接受；1 = 被拒收，须改正后再发；3 = 对方暂时不可用或连不上，原样稍后重发。 */
  static int push(String address, String hospitalCode, String keyHex, byte[] record)
      throws GeneralSecurityException {
    byte[] key = fromHex(keyHex);
    try {
      HttpURLConnection http = (HttpURLConnection) new URL(address).openConnection();
      http.setRequestMethod("POST");
      http.setConnectTimeout(10_000);
      http.setReadTimeout(30_000);
      http.setInstanceFollowRedirects(false);
      http.setRequestProperty("Content-Type", "application/json");
      http.setRequestProperty("encryption-type", "SM4");
      http.setDoOutput(true);
      // 每次发送都重新封装，时间戳才是当前的。
      String body = envelope(hospitalCode, key, System.currentTimeMillis() / 1000, record);
      try (OutputStream out = http.getOutputStream()) {
        out.write(body.getBytes(StandardCharsets.UTF_8));
      }
      int status = http.getResponseCode();
      String answer = read(status < 400 ? http.getInputStream() : http.getErrorStream());
      System.out.println("HTTP " + status + " " + answer);
      return judge(status, answer, http.getHeaderField("Retry-After"));
    } catch (IOException error) {
      System.err.println("无法与网关通信，稍后重发：" + error);
      return 3;
    }
  }

  /** 只有 code 1 才算成功；HTTP 200 本身不说明什么。接口程序里请换成您的 JSON 库。 */
  static int judge(int status, String answer, String retryAfter) {
    if (status == 408 || status == 429 || status >= 500) {
      System.err.println("网关暂时不可用，" + (retryAfter == null ? "稍后" : retryAfter + " 秒后") + "重发");
      return 3;
    }
    Matcher code = Pattern.compile("^\\s*\\{\\s*\"code\"\\s*:\\s*\"?([01])\\b").matcher(answer);
    if (!code.find()) {
      System.err.println("应答不符合规范，请核对地址");
      return 3;
    }
    return code.group(1).equals("1") ? 0 : 1;
  }

  static String read(InputStream in) throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    byte[] chunk = new byte[8192];
    for (int n; in != null && (n = in.read(chunk)) > 0; ) {
      all.write(chunk, 0, n);
      if (all.size() > MAX_ANSWER) {
        throw new IOException("应答过长");
      }
    }
    return new String(all.toByteArray(), StandardCharsets.UTF_8);
  }

  static byte[] fromHex(String hex) {
    if (!hex.matches("[0-9a-fA-F]{32}")) {
      throw new IllegalArgumentException("SM4 密钥应为 32 位十六进制");
    }
    byte[] bytes = new byte[16];
    for (int i = 0; i < 16; i++) {
      bytes[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
    }
    return bytes;
  }

  /** 规范三(八)印出的密文，以及按三(一)的规则算出的签名。 */
  static void vector() throws GeneralSecurityException {
    byte[] key = fromHex("2a77be8ebc9c90cd25ccd1d31dce7a77");
    byte[] plain = "{\"patientName\":\"张三\",\"patientId\":\"Test123456\"}".getBytes(StandardCharsets.UTF_8);
    String data =
        "laoxZiinrHrTUa1tythils6bY9/PaMJpAdm7xoKwHx0KbPEea+Am911ApbxJwJLy4QI6Vq1xoMTGEWqoUvOzOQ==";
    check("SM4 加密", data, Base64.getEncoder().encodeToString(Sm4.encrypt(key, plain)));
    check("SM4 解密", Arrays.toString(plain), Arrays.toString(Sm4.decrypt(key, Base64.getDecoder().decode(data))));
    check("签名", "702EA031AAB5C18D927E527E483D08C4B00B1EE6", sha1(data + "TestHospital" + "1761766532"));
    System.out.println("OK");
  }

  static void check(String what, String wanted, String got) {
    if (!wanted.equals(got)) {
      throw new IllegalStateException(what + "不符：" + got);
    }
  }

  /** SM4/ECB/PKCS5Padding（GB/T 32907-2016），三(六)。 */
  static final class Sm4 {
    private static final int[] FK = {0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC};
    private static final String SBOX =
        "d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa441326498606999c4250f491ef987a33540b43edcfac62"
            + "e4b31ca9c908e89580df94fa758f3fa64707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35"
            + "1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89eeabf8ad240c738b5a3f7f2cef96115a1"
            + "e0ae5da49b341a55ad933230f58cb1e31df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51"
            + "8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b08969974a0c96777e65b9f109c56ec684"
            + "18f07dec3adc4d2079ee5f3ed7cb3948";
    private static final int[] S = new int[256];

    static {
      for (int i = 0; i < 256; i++) {
        S[i] = Integer.parseInt(SBOX.substring(2 * i, 2 * i + 2), 16);
      }
    }

    static byte[] encrypt(byte[] key, byte[] plain) {
      int padding = 16 - plain.length % 16;
      byte[] padded = Arrays.copyOf(plain, plain.length + padding);
      Arrays.fill(padded, plain.length, padded.length, (byte) padding);
      return blocks(roundKeys(key, false), padded);
    }

    static byte[] decrypt(byte[] key, byte[] cipher) {
      if (cipher.length == 0 || cipher.length % 16 != 0) {
        throw new IllegalArgumentException("密文不是 16 字节的整数倍");
      }
      byte[] padded = blocks(roundKeys(key, true), cipher);
      int padding = padded[padded.length - 1];
      if (padding < 1 || padding > 16) {
        throw new IllegalArgumentException("填充不对，多半是密钥不对");
      }
      return Arrays.copyOf(padded, padded.length - padding);
    }

    private static byte[] blocks(int[] keys, byte[] in) {
      byte[] out = new byte[in.length];
      for (int at = 0; at < in.length; at += 16) {
        int[] x = {word(in, at), word(in, at + 4), word(in, at + 8), word(in, at + 12)};
        for (int i = 0; i < 32; i++) {
          int b = substitute(x[(i + 1) % 4] ^ x[(i + 2) % 4] ^ x[(i + 3) % 4] ^ keys[i]);
          x[i % 4] ^= b ^ Integer.rotateLeft(b, 2) ^ Integer.rotateLeft(b, 10) ^ Integer.rotateLeft(b, 18)
              ^ Integer.rotateLeft(b, 24);
        }
        for (int i = 0; i < 4; i++) {
          put(out, at + 4 * i, x[3 - i]);
        }
      }
      return out;
    }

    private static int[] roundKeys(byte[] key, boolean backwards) {
      int[] k = new int[4];
      for (int i = 0; i < 4; i++) {
        k[i] = word(key, 4 * i) ^ FK[i];
      }
      int[] keys = new int[32];
      for (int i = 0; i < 32; i++) {
        int ck = 0;
        for (int j = 0; j < 4; j++) {
          ck = ck << 8 | (4 * i + j) * 7 & 0xFF;
        }
        int b = substitute(k[(i + 1) % 4] ^ k[(i + 2) % 4] ^ k[(i + 3) % 4] ^ ck);
        k[i % 4] ^= b ^ Integer.rotateLeft(b, 13) ^ Integer.rotateLeft(b, 23);
        keys[backwards ? 31 - i : i] = k[i % 4];
      }
      return keys;
    }

    private static int substitute(int w) {
      return S[w >>> 24] << 24 | S[w >>> 16 & 0xFF] << 16 | S[w >>> 8 & 0xFF] << 8 | S[w & 0xFF];
    }

    private static int word(byte[] b, int at) {
      return (b[at] & 0xFF) << 24 | (b[at + 1] & 0xFF) << 16 | (b[at + 2] & 0xFF) << 8 | b[at + 3] & 0xFF;
    }

    private static void put(byte[] b, int at, int w) {
      for (int i = 0; i < 4; i++) {
        b[at + i] = (byte) (w >>> 24 - 8 * i);
      }
    }
  }
}
