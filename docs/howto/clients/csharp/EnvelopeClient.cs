// 影像云前置机 HTTP 接口（三(一)、三(六)）的最小客户端：SM4 加密、签名、推送一条记录。
// 单个文件，不用第三方库；.NET Framework 4.5 及以上、.NET 6 及以上、Mono。SPDX-License-Identifier: Apache-2.0
//
//   csc EnvelopeClient.cs（或 mcs EnvelopeClient.cs；或放进 dotnet new console 的项目），然后
//   EnvelopeClient vector                                  用已知答案自检
//   EnvelopeClient push 地址 医疗机构代码 密钥 记录.json   推送，如 http://ip:port/exam-sync
//   EnvelopeClient seal 医疗机构代码 密钥 秒数 记录.json   只打印请求体

using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

public static class EnvelopeClient
{
    /// <summary>应答至多读这么多字节。</summary>
    const int MaxAnswer = 16 << 20;

    public static int Main(string[] args)
    {
        Console.OutputEncoding = new UTF8Encoding(false);
        if (args.Length == 1 && args[0] == "vector") return Vector();
        if (args.Length == 5 && args[0] == "push")
            return Push(args[1], args[2], FromHex(args[3]), File.ReadAllBytes(args[4]));
        if (args.Length == 5 && args[0] == "seal")
        {
            long seconds = long.Parse(args[3], CultureInfo.InvariantCulture);
            Console.WriteLine(Envelope(args[1], FromHex(args[2]), seconds, File.ReadAllBytes(args[4])));
            return 0;
        }
        Console.Error.WriteLine("用法：vector | push 地址 机构代码 密钥 记录.json | seal 机构代码 密钥 秒数 记录.json");
        return 2;
    }

    /// <summary>请求体。record 是记录的 JSON（UTF-8，不带 BOM）；seconds 是标准 Unix 秒，不要加减 8 小时。</summary>
    public static string Envelope(string hospitalCode, byte[] key, long seconds, byte[] record)
    {
        string data = Convert.ToBase64String(Sm4.Encrypt(key, record));
        string timestamp = seconds.ToString(CultureInfo.InvariantCulture);
        // 参数名按字母升序：data、hospitalCode、timestamp；只拼接它们的值。
        string signature = Sha1(data + hospitalCode + timestamp);
        return "{\"hospitalCode\":\"" + hospitalCode + "\",\"data\":\"" + data + "\",\"timestamp\":\"" + timestamp
            + "\",\"signature\":\"" + signature + "\"}";
    }

    public static string Sha1(string text)
    {
        using (var sha1 = SHA1.Create())
            return string.Concat(sha1.ComputeHash(Encoding.UTF8.GetBytes(text)).Select(b => b.ToString("X2")));
    }

    /// <summary>0 = 已接受；1 = 被拒收，须改正后再发；3 = 对方暂时不可用或连不上，原样稍后重发。</summary>
    public static int Push(string address, string hospitalCode, byte[] key, byte[] record)
    {
        try
        {
            // .NET 6 起 HttpWebRequest 只为兼容而在；新程序请改用 HttpClient，信封不变。
#pragma warning disable SYSLIB0014
            var http = (HttpWebRequest)WebRequest.Create(address);
#pragma warning restore SYSLIB0014
            http.Method = "POST";
            http.Timeout = http.ReadWriteTimeout = 30000;
            http.AllowAutoRedirect = false;
            http.ContentType = "application/json";
            http.Headers["encryption-type"] = "SM4";
            // 每次发送都重新封装，时间戳才是当前的。
            long now = (long)(DateTime.UtcNow - new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc)).TotalSeconds;
            byte[] body = Encoding.UTF8.GetBytes(Envelope(hospitalCode, key, now, record));
            using (var stream = http.GetRequestStream()) stream.Write(body, 0, body.Length);
            using (var response = Answered(http))
            {
                string answer = Read(response.GetResponseStream());
                int status = (int)response.StatusCode;
                Console.WriteLine("HTTP " + status + " " + answer);
                return Judge(status, answer, response.Headers["Retry-After"]);
            }
        }
        catch (Exception error) when (error is WebException || error is IOException)
        {
            Console.Error.WriteLine("无法与网关通信，稍后重发：" + error.Message);
            return 3;
        }
    }

    /// <summary>HTTP 4xx、5xx 也有应答。</summary>
    static HttpWebResponse Answered(HttpWebRequest http)
    {
        try
        {
            return (HttpWebResponse)http.GetResponse();
        }
        catch (WebException error) when (error.Response != null)
        {
            return (HttpWebResponse)error.Response;
        }
    }

    /// <summary>只有 code 1 才算成功；HTTP 200 本身不说明什么。接口程序里请换成您的 JSON 库。</summary>
    static int Judge(int status, string answer, string retryAfter)
    {
        if (status == 408 || status == 429 || status >= 500)
        {
            Console.Error.WriteLine("网关暂时不可用，" + (retryAfter == null ? "稍后" : retryAfter + " 秒后") + "重发");
            return 3;
        }
        var code = Regex.Match(answer, "^\\s*\\{\\s*\"code\"\\s*:\\s*\"?([01])\\b");
        if (!code.Success)
        {
            Console.Error.WriteLine("应答不符合规范，请核对地址");
            return 3;
        }
        return code.Groups[1].Value == "1" ? 0 : 1;
    }

    static string Read(Stream stream)
    {
        var all = new MemoryStream();
        var chunk = new byte[8192];
        for (int n; (n = stream.Read(chunk, 0, chunk.Length)) > 0;)
        {
            all.Write(chunk, 0, n);
            if (all.Length > MaxAnswer) throw new IOException("应答过长");
        }
        return Encoding.UTF8.GetString(all.ToArray());
    }

    static byte[] FromHex(string hex)
    {
        if (!Regex.IsMatch(hex, "^[0-9a-fA-F]{32}$")) throw new ArgumentException("SM4 密钥应为 32 位十六进制");
        return Enumerable.Range(0, 16).Select(i => Convert.ToByte(hex.Substring(2 * i, 2), 16)).ToArray();
    }

    /// <summary>规范三(八)印出的密文，以及按三(一)的规则算出的签名。</summary>
    static int Vector()
    {
        byte[] key = FromHex("2a77be8ebc9c90cd25ccd1d31dce7a77");
        byte[] plain = Encoding.UTF8.GetBytes("{\"patientName\":\"张三\",\"patientId\":\"Test123456\"}");
        const string data =
            "laoxZiinrHrTUa1tythils6bY9/PaMJpAdm7xoKwHx0KbPEea+Am911ApbxJwJLy4QI6Vq1xoMTGEWqoUvOzOQ==";
        bool encrypts = Convert.ToBase64String(Sm4.Encrypt(key, plain)) == data;
        bool decrypts = Sm4.Decrypt(key, Convert.FromBase64String(data)).SequenceEqual(plain);
        bool signs = Sha1(data + "TestHospital" + "1761766532") == "702EA031AAB5C18D927E527E483D08C4B00B1EE6";
        Console.WriteLine(encrypts && decrypts && signs ? "OK" : "不符：" + encrypts + decrypts + signs);
        return encrypts && decrypts && signs ? 0 : 1;
    }
}

/// <summary>SM4/ECB/PKCS5Padding（GB/T 32907-2016），三(六)。</summary>
public static class Sm4
{
    static readonly uint[] Fk = { 0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC };
    const string SboxHex =
        "d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa441326498606999c4250f491ef987a33540b43edcfac62"
        + "e4b31ca9c908e89580df94fa758f3fa64707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35"
        + "1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89eeabf8ad240c738b5a3f7f2cef96115a1"
        + "e0ae5da49b341a55ad933230f58cb1e31df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51"
        + "8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b08969974a0c96777e65b9f109c56ec684"
        + "18f07dec3adc4d2079ee5f3ed7cb3948";
    static readonly byte[] Sbox =
        Enumerable.Range(0, 256).Select(i => Convert.ToByte(SboxHex.Substring(2 * i, 2), 16)).ToArray();

    public static byte[] Encrypt(byte[] key, byte[] plain)
    {
        int padding = 16 - plain.Length % 16;
        return Blocks(RoundKeys(key, false), plain.Concat(Enumerable.Repeat((byte)padding, padding)).ToArray());
    }

    public static byte[] Decrypt(byte[] key, byte[] cipher)
    {
        if (cipher.Length == 0 || cipher.Length % 16 != 0) throw new ArgumentException("密文不是 16 字节的整数倍");
        byte[] padded = Blocks(RoundKeys(key, true), cipher);
        int padding = padded[padded.Length - 1];
        if (padding < 1 || padding > 16) throw new ArgumentException("填充不对，多半是密钥不对");
        return padded.Take(padded.Length - padding).ToArray();
    }

    static byte[] Blocks(uint[] keys, byte[] input)
    {
        var output = new byte[input.Length];
        var x = new uint[4];
        for (int at = 0; at < input.Length; at += 16)
        {
            for (int i = 0; i < 4; i++) x[i] = Word(input, at + 4 * i);
            for (int i = 0; i < 32; i++)
            {
                uint b = Substitute(x[(i + 1) % 4] ^ x[(i + 2) % 4] ^ x[(i + 3) % 4] ^ keys[i]);
                x[i % 4] ^= b ^ Rotate(b, 2) ^ Rotate(b, 10) ^ Rotate(b, 18) ^ Rotate(b, 24);
            }
            for (int i = 0; i < 16; i++) output[at + i] = (byte)(x[3 - i / 4] >> (24 - 8 * (i % 4)));
        }
        return output;
    }

    static uint[] RoundKeys(byte[] key, bool backwards)
    {
        var k = new uint[4];
        for (int i = 0; i < 4; i++) k[i] = Word(key, 4 * i) ^ Fk[i];
        var keys = new uint[32];
        for (int i = 0; i < 32; i++)
        {
            uint ck = 0;
            for (int j = 0; j < 4; j++) ck = ck << 8 | (uint)((4 * i + j) * 7 & 0xFF);
            uint b = Substitute(k[(i + 1) % 4] ^ k[(i + 2) % 4] ^ k[(i + 3) % 4] ^ ck);
            k[i % 4] ^= b ^ Rotate(b, 13) ^ Rotate(b, 23);
            keys[backwards ? 31 - i : i] = k[i % 4];
        }
        return keys;
    }

    static uint Substitute(uint w)
    {
        return (uint)(Sbox[w >> 24] << 24 | Sbox[w >> 16 & 0xFF] << 16 | Sbox[w >> 8 & 0xFF] << 8 | Sbox[w & 0xFF]);
    }

    static uint Rotate(uint w, int n)
    {
        return w << n | w >> (32 - n);
    }

    static uint Word(byte[] b, int at)
    {
        return (uint)(b[at] << 24 | b[at + 1] << 16 | b[at + 2] << 8 | b[at + 3]);
    }
}
