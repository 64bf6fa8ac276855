// 影像云前置机 HTTP 接口（三(一)、三(六)）的最小客户端：SM4 加密、签名、推送一条记录。
// 单个文件，只用标准库（Go 1.16 及以上）。SPDX-License-Identifier: Apache-2.0
//
//	go run envelope_client.go vector                                  用已知答案自检
//	go run envelope_client.go push 地址 医疗机构代码 密钥 记录.json   推送，如 http://ip:port/exam-sync
//	go run envelope_client.go seal 医疗机构代码 密钥 秒数 记录.json   只打印请求体
package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const maxAnswer = 16 << 20 // 应答至多读这么多字节

// Envelope 是请求体（三(一)）。
type Envelope struct {
	HospitalCode string `json:"hospitalCode"`
	Data         string `json:"data"`
	Timestamp    string `json:"timestamp"`
	Signature    string `json:"signature"`
}

// Answer 是应答；只有 Code 为 1 才算成功，HTTP 200 本身不说明什么。
type Answer struct {
	Code    json.Number     `json:"code"`
	Message string          `json:"message"`
	Content json.RawMessage `json:"content"`
}

// Seal 封装一条记录。record 是记录的 JSON（UTF-8，不带 BOM）；seconds 是标准 Unix 秒，不要加减 8 小时。
func Seal(hospitalCode string, key, record []byte, seconds int64) Envelope {
	data := base64.StdEncoding.EncodeToString(encrypt(key, record))
	timestamp := strconv.FormatInt(seconds, 10)
	// 参数名按字母升序：data、hospitalCode、timestamp；只拼接它们的值。
	return Envelope{hospitalCode, data, timestamp, sign(data + hospitalCode + timestamp)}
}

func sign(text string) string {
	digest := sha1.Sum([]byte(text))
	return strings.ToUpper(hex.EncodeToString(digest[:]))
}

var client = &http.Client{
	Timeout:       60 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// push 返回 0 = 已接受；1 = 被拒收，须改正后再发；3 = 对方暂时不可用或连不上，原样稍后重发。
func push(address, hospitalCode string, key, record []byte) int {
	// 每次发送都重新封装，时间戳才是当前的。
	body, err := json.Marshal(Seal(hospitalCode, key, record, time.Now().Unix()))
	if err != nil {
		return fail(2, "无法封装：%v", err)
	}
	request, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fail(2, "地址不对：%v", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header["encryption-type"] = []string{"SM4"}
	response, err := client.Do(request)
	if err != nil {
		return fail(3, "无法与网关通信，稍后重发：%v", err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fail(3, "应答没有收全，稍后重发：%v", err)
	}
	fmt.Printf("HTTP %d %s\n", response.StatusCode, raw)
	return judge(response.StatusCode, raw, response.Header.Get("Retry-After"))
}

func judge(status int, raw []byte, retryAfter string) int {
	if status == 408 || status == 429 || status >= 500 {
		return fail(3, "网关暂时不可用，%s 秒后重发", retryAfter)
	}
	var answer Answer
	if json.Unmarshal(raw, &answer) != nil || (answer.Code != "0" && answer.Code != "1") {
		return fail(3, "应答不符合规范，请核对地址")
	}
	if answer.Code == "1" {
		return 0
	}
	return 1
}

func fail(code int, format string, words ...interface{}) int {
	fmt.Fprintf(os.Stderr, format+"\n", words...)
	return code
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	switch {
	case len(args) == 1 && args[0] == "vector":
		return vector()
	case len(args) == 5 && (args[0] == "push" || args[0] == "seal"):
		key, err := parseKey(args[map[string]int{"push": 3, "seal": 2}[args[0]]])
		if err != nil {
			return fail(2, "%v", err)
		}
		record, err := os.ReadFile(args[4])
		if err != nil {
			return fail(2, "%v", err)
		}
		if args[0] == "push" {
			return push(args[1], args[2], key, record)
		}
		seconds, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil {
			return fail(2, "%v", err)
		}
		body, _ := json.Marshal(Seal(args[1], key, record, seconds))
		fmt.Println(string(body))
		return 0
	}
	return fail(2, "用法：vector | push 地址 机构代码 密钥 记录.json | seal 机构代码 密钥 秒数 记录.json")
}

func parseKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 16 {
		return nil, errors.New("SM4 密钥应为 32 位十六进制")
	}
	return key, nil
}

// vector 核对规范三(八)印出的密文，以及按三(一)的规则算出的签名。
func vector() int {
	key, _ := parseKey("2a77be8ebc9c90cd25ccd1d31dce7a77")
	plain := []byte(`{"patientName":"张三","patientId":"Test123456"}`)
	data := "laoxZiinrHrTUa1tythils6bY9/PaMJpAdm7xoKwHx0KbPEea+Am911ApbxJwJLy4QI6Vq1xoMTGEWqoUvOzOQ=="
	if got := base64.StdEncoding.EncodeToString(encrypt(key, plain)); got != data {
		return fail(1, "SM4 加密不符：%s", got)
	}
	cipher, _ := base64.StdEncoding.DecodeString(data)
	if got, err := decrypt(key, cipher); err != nil || !bytes.Equal(got, plain) {
		return fail(1, "SM4 解密不符：%s %v", got, err)
	}
	if got := sign(data + "TestHospital" + "1761766532"); got != "702EA031AAB5C18D927E527E483D08C4B00B1EE6" {
		return fail(1, "签名不符：%s", got)
	}
	fmt.Println("OK")
	return 0
}

// ---- SM4/ECB/PKCS5Padding（GB/T 32907-2016），三(六) ----

var fk = [4]uint32{0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC}

var sbox, _ = hex.DecodeString("" +
	"d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa441326498606999c4250f491ef987a33540b43edcfac62" +
	"e4b31ca9c908e89580df94fa758f3fa64707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35" +
	"1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89eeabf8ad240c738b5a3f7f2cef96115a1" +
	"e0ae5da49b341a55ad933230f58cb1e31df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51" +
	"8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b08969974a0c96777e65b9f109c56ec684" +
	"18f07dec3adc4d2079ee5f3ed7cb3948")

func encrypt(key, plain []byte) []byte {
	padding := 16 - len(plain)%16
	padded := append(append([]byte{}, plain...), bytes.Repeat([]byte{byte(padding)}, padding)...)
	return blocks(roundKeys(key, false), padded)
}

func decrypt(key, cipher []byte) ([]byte, error) {
	if len(cipher) == 0 || len(cipher)%16 != 0 {
		return nil, errors.New("密文不是 16 字节的整数倍")
	}
	padded := blocks(roundKeys(key, true), cipher)
	padding := int(padded[len(padded)-1])
	if padding < 1 || padding > 16 {
		return nil, errors.New("填充不对，多半是密钥不对")
	}
	return padded[:len(padded)-padding], nil
}

func blocks(keys [32]uint32, in []byte) []byte {
	out := make([]byte, len(in))
	var x [4]uint32
	for at := 0; at < len(in); at += 16 {
		for i := range x {
			x[i] = binary.BigEndian.Uint32(in[at+4*i:])
		}
		for i, key := range keys {
			b := substitute(x[(i+1)%4] ^ x[(i+2)%4] ^ x[(i+3)%4] ^ key)
			x[i%4] ^= b ^ bits.RotateLeft32(b, 2) ^ bits.RotateLeft32(b, 10) ^ bits.RotateLeft32(b, 18) ^ bits.RotateLeft32(b, 24)
		}
		for i := range x {
			binary.BigEndian.PutUint32(out[at+4*i:], x[3-i])
		}
	}
	return out
}

func roundKeys(key []byte, backwards bool) (keys [32]uint32) {
	var k [4]uint32
	for i := range k {
		k[i] = binary.BigEndian.Uint32(key[4*i:]) ^ fk[i]
	}
	for i := range keys {
		var ck uint32
		for j := 0; j < 4; j++ {
			ck = ck<<8 | uint32((4*i+j)*7&0xFF)
		}
		b := substitute(k[(i+1)%4] ^ k[(i+2)%4] ^ k[(i+3)%4] ^ ck)
		k[i%4] ^= b ^ bits.RotateLeft32(b, 13) ^ bits.RotateLeft32(b, 23)
		if backwards {
			keys[31-i] = k[i%4]
		} else {
			keys[i] = k[i%4]
		}
	}
	return keys
}

func substitute(w uint32) uint32 {
	return uint32(sbox[w>>24])<<24 | uint32(sbox[w>>16&0xFF])<<16 | uint32(sbox[w>>8&0xFF])<<8 | uint32(sbox[w&0xFF])
}
