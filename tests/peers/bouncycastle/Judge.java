// An independent judge and maker of SM2 structures by BouncyCastle: one task a line on standard input, tab-separated,
// binary in base64; one answer a line. Started once by tests/peers/bouncycastle/__init__.py as a single-file program.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Security;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.ASN1BitString;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.ASN1TaggedObject;
import org.bouncycastle.asn1.cms.ContentInfo;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.CMSTypedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.TimeStampTokenGenerator;

public class Judge {
  static final String BC = "BC";

  public static void main(String[] arguments) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String answer;
      try {
        answer = answer(line.split("\t", -1));
      } catch (Exception error) {
        answer = "ERROR " + error.toString().replace('\n', ' ');
      }
      System.out.println(answer);
      System.out.flush();
    }
  }

  static String answer(String[] task) throws Exception {
    switch (task[0]) {
      case "certificate": return certificate(bytes(task[1]), bytes(task[2]));
      case "csr": return csr(bytes(task[1]));
      case "crl": return crl(bytes(task[1]), bytes(task[2]), new BigInteger(task[3]));
      case "cms": return cms(bytes(task[1]), task[2], bytes(task[3]));
      case "seal": return seal(bytes(task[1]));
      case "seal-signature": return sealSignature(bytes(task[1]), bytes(task[2]));
      case "token": return token(bytes(task[1]), bytes(task[2]));
      case "response": return response(bytes(task[1]), bytes(task[2]));
      case "make-cms": return makeCms(bytes(task[1]), bytes(task[2]), bytes(task[3]), task[4]);
      case "make-token": return makeToken(bytes(task[1]), bytes(task[2]), bytes(task[3]));
      case "make-crl": return makeCrl(bytes(task[1]), bytes(task[2]), new BigInteger(task[3]));
      case "make-tsa": return makeTsa();
      default: throw new IllegalArgumentException(task[0]);
    }
  }

  static String certificate(byte[] raw, byte[] issuer) throws Exception {
    X509Certificate found = read(raw);
    found.verify(read(issuer).getPublicKey(), BC);
    return "OK " + found.getSigAlgOID() + " " + found.getSerialNumber() + " " + found.getBasicConstraints();
  }

  static String csr(byte[] raw) throws Exception {
    PKCS10CertificationRequest request = new PKCS10CertificationRequest(raw);
    boolean good = request.isSignatureValid(
        new JcaContentVerifierProviderBuilder().setProvider(BC).build(request.getSubjectPublicKeyInfo()));
    return good ? "OK" : "BAD";
  }

  static String crl(byte[] raw, byte[] issuer, BigInteger serial) throws Exception {
    X509CRL list = (X509CRL) CertificateFactory.getInstance("X.509", BC).generateCRL(new ByteArrayInputStream(raw));
    list.verify(read(issuer).getPublicKey(), BC);
    var entry = list.getRevokedCertificate(serial);
    if (entry == null) {
      return "GOOD";
    }
    return "REVOKED " + entry.getRevocationDate().getTime() / 1000 + " " + entry.getRevocationReason();
  }

  // The types of GM/T 0010 are renamed to those of CMS, which BouncyCastle insists on; nothing signed changes.
  static String cms(byte[] raw, String form, byte[] content) throws Exception {
    CMSSignedData signed = form.equals("detached")
        ? new CMSSignedData(new CMSProcessableByteArray(content), renamed(raw))
        : new CMSSignedData(renamed(raw));
    int count = 0;
    for (SignerInformation signer : signed.getSignerInfos().getSigners()) {
      Collection<X509CertificateHolder> held = signed.getCertificates().getMatches(signer.getSID());
      var verifier = new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(held.iterator().next());
      if (!signer.verify(verifier)) {
        return "BAD";
      }
      count++;
    }
    return "OK " + count;
  }

  static byte[] renamed(byte[] raw) throws Exception {
    ContentInfo outer = ContentInfo.getInstance(raw);
    if (outer.getContentType().getId().startsWith("1.2.156")) {
      return new ContentInfo(new ASN1ObjectIdentifier("1.2.840.113549.1.7.2"), outer.getContent()).getEncoded();
    }
    return raw;
  }

  // SESeal of GB/T 38540-2020: the maker's signature over SES_SealInfo.
  static String seal(byte[] raw) throws Exception {
    ASN1Sequence seal = ASN1Sequence.getInstance(raw);
    boolean good = verified(octets(seal, 1), seal.getObjectAt(0).toASN1Primitive().getEncoded("DER"), bits(seal, 3));
    return good ? "OK" : "BAD";
  }

  // SES_Signature of GB/T 38540-2020: the signer's signature over TBS_Sign, the seal inside, dataHash, the time stamp.
  static String sealSignature(byte[] raw, byte[] document) throws Exception {
    ASN1Sequence signature = ASN1Sequence.getInstance(raw);
    ASN1Sequence tbs = ASN1Sequence.getInstance(signature.getObjectAt(0));
    if (!verified(octets(signature, 1), tbs.getEncoded("DER"), bits(signature, 3))) {
      return "BAD signer";
    }
    if (!seal(tbs.getObjectAt(1).toASN1Primitive().getEncoded("DER")).equals("OK")) {
      return "BAD maker";
    }
    byte[] digest = MessageDigest.getInstance("SM3", BC).digest(document);
    if (!Arrays.equals(digest, bits(tbs, 3))) {
      return "BAD document";
    }
    if (signature.size() < 5) {
      return "OK";
    }
    ASN1TaggedObject holder = (ASN1TaggedObject) signature.getObjectAt(4);
    byte[] token = ASN1BitString.getInstance(holder.getBaseObject()).getOctets();
    var info = new TimeStampToken(new CMSSignedData(token)).getTimeStampInfo();
    byte[] stamped = MessageDigest.getInstance("SM3", BC).digest(bits(signature, 3));
    return Arrays.equals(stamped, info.getMessageImprintDigest()) ? "OK stamped" : "BAD stamp";
  }

  static boolean verified(byte[] certificate, byte[] message, byte[] value) throws Exception {
    Signature verifier = Signature.getInstance("SM3WITHSM2", BC);
    verifier.initVerify(read(certificate).getPublicKey());
    verifier.update(message);
    return verifier.verify(value);
  }

  static byte[] octets(ASN1Sequence of, int index) {
    return ASN1OctetString.getInstance(of.getObjectAt(index)).getOctets();
  }

  static byte[] bits(ASN1Sequence of, int index) {
    return ASN1BitString.getInstance(of.getObjectAt(index)).getOctets();
  }

  static String token(byte[] raw, byte[] tsa) throws Exception {
    TimeStampToken token = new TimeStampToken(new CMSSignedData(raw));
    X509CertificateHolder holder = new X509CertificateHolder(tsa);
    token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(holder));
    var info = token.getTimeStampInfo();
    return "OK " + info.getSerialNumber() + " " + info.getGenTime().getTime() + " " + info.getNonce() + " "
        + info.getMessageImprintAlgOID() + " " + info.getPolicy();
  }

  static String response(byte[] raw, byte[] request) throws Exception {
    TimeStampResponse response = new TimeStampResponse(raw);
    response.validate(new TimeStampRequest(request));
    return "OK " + response.getStatus() + " " + (response.getFailInfo() == null ? "-" : response.getFailInfo().intValue());
  }

  static String makeCms(byte[] key, byte[] certificate, byte[] content, String form) throws Exception {
    CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
    var builder = new JcaSignerInfoGeneratorBuilder(digests());
    if (form.contains("direct")) {
      builder.setDirectSignature(true);
    }
    generator.addSignerInfoGenerator(builder.build(signer(key), new X509CertificateHolder(certificate)));
    generator.addCertificate(new X509CertificateHolder(certificate));
    CMSTypedData data = new CMSProcessableByteArray(content);
    CMSSignedData signed = generator.generate(data, !form.contains("detached"));
    byte[] raw = form.contains("ber") ? signed.getEncoded() : signed.toASN1Structure().getEncoded(ASN1Encoding.DER);
    return text(raw);
  }

  static String makeToken(byte[] key, byte[] certificate, byte[] imprint) throws Exception {
    X509CertificateHolder holder = new X509CertificateHolder(certificate);
    var info = new JcaSignerInfoGeneratorBuilder(digests()).build(signer(key), holder);
    var calculator = digests().get(new AlgorithmIdentifier(GMObjectIdentifiers.sm3));
    TimeStampTokenGenerator generator =
        new TimeStampTokenGenerator(info, calculator, new ASN1ObjectIdentifier("1.2.156.10197.99.1"));
    generator.addCertificates(new JcaCertStore(List.of(holder)));
    generator.setAccuracySeconds(1);
    TimeStampRequest request = new TimeStampRequestGenerator()
        .generate(GMObjectIdentifiers.sm3, imprint, BigInteger.valueOf(77));
    return text(generator.generate(request, BigInteger.valueOf(4711), new Date()).getEncoded());
  }

  static String makeCrl(byte[] key, byte[] issuer, BigInteger serial) throws Exception {
    X500Name name = new X509CertificateHolder(issuer).getSubject();
    Date now = new Date();
    X509v2CRLBuilder builder = new X509v2CRLBuilder(name, now);
    builder.setNextUpdate(new Date(now.getTime() + 86_400_000L));
    builder.addCRLEntry(serial, now, CRLReason.keyCompromise);
    return text(builder.build(signer(key)).getEncoded());
  }

  static String makeTsa() throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", BC);
    generator.initialize(new ECGenParameterSpec("sm2p256v1"));
    KeyPair pair = generator.generateKeyPair();
    Date now = new Date();
    X500Name name = new X500Name("C=CN,O=BC,CN=tsa");
    var builder = new JcaX509v3CertificateBuilder(name, BigInteger.TEN, new Date(now.getTime() - 60_000L),
        new Date(now.getTime() + 86_400_000L), name, pair.getPublic());
    builder.addExtension(Extension.extendedKeyUsage, true, new ExtendedKeyUsage(KeyPurposeId.id_kp_timeStamping));
    X509CertificateHolder holder = builder.build(signer(pair.getPrivate().getEncoded()));
    return text(pair.getPrivate().getEncoded()) + "\t" + text(holder.getEncoded());
  }

  static ContentSigner signer(byte[] key) throws Exception {
    PrivateKey secret = KeyFactory.getInstance("EC", BC).generatePrivate(new PKCS8EncodedKeySpec(key));
    return new JcaContentSignerBuilder("SM3withSM2").setProvider(BC).build(secret);
  }

  static DigestCalculatorProvider digests() throws Exception {
    return new JcaDigestCalculatorProviderBuilder().setProvider(BC).build();
  }

  static X509Certificate read(byte[] raw) throws Exception {
    return new JcaX509CertificateConverter().setProvider(BC).getCertificate(new X509CertificateHolder(raw));
  }

  static byte[] bytes(String text) {
    return Base64.getDecoder().decode(text);
  }

  static String text(byte[] raw) {
    return Base64.getEncoder().encodeToString(raw);
  }
}
