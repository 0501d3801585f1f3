import assert from "node:assert/strict";
import { webcrypto, X509Certificate } from "node:crypto";
import { before, describe, it } from "node:test";
import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { makeAuthority, type TestAuthority } from "../../../test/support/authority.ts";
import { ecTestKey, rsaTestKey } from "../../../test/support/csr.ts";
import { opensslVerify } from "../../../test/support/openssl-verify.ts";
import { signLeaf } from "../issuance/authority.ts";
import { parseCertificate } from "./certificate.ts";
import type { LeafFields } from "./leaf-template.ts";
import { servingProfile, workloadProfile, type LeafProfile } from "./profile.ts";
import { parsePublicKey, type PublicKey } from "./public-key.ts";
import type { RootKeyType } from "./root.ts";
import { subjectKeyIdentifier } from "./signer.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);
const rootKeyTypes: readonly RootKeyType[] = ["p256", "p384", "rsa3072"];
const publicKeys: readonly PublicKey[] = [
  ecTestKey("P-256"),
  ecTestKey("P-384"),
  rsaTestKey(2048),
].map(({ spki }) => parsePublicKey(spki));
const [p256Key] = publicKeys;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const authorities = new Map<RootKeyType, TestAuthority>();
before(async () => {
  for (const type of rootKeyTypes) authorities.set(type, await makeAuthority(type, nowMs));
});

function authorityOf(type: RootKeyType): TestAuthority {
  const authority = authorities.get(type);
  assert.ok(authority !== undefined);
  return authority;
}

function workloadFields(changes: Partial<LeafFields> = {}): LeafFields {
  assert.ok(p256Key !== undefined);
  return {
    serial: Buffer.from("0123456789abcdef0123456789abcdef", "hex"),
    notBeforeMs: nowMs - 120_000,
    notAfterMs: nowMs + 86_400_000,
    subjectAltNames: { uris: ["spiffe://cluster.local/ns/shop/sa/cart"] },
    publicKey: p256Key,
    ...changes,
  };
}

const servingNames = {
  dnsNames: ["localhost", "portcullis.mesh.svc"],
  ipAddresses: [Uint8Array.of(127, 0, 0, 1), Uint8Array.from([...new Uint8Array(15), 1])],
};

describe("the to-be-signed bytes of a leaf are those that @peculiar/x509 writes", () => {
  for (const issuer of rootKeyTypes) {
    it(`under a root of type ${issuer}, for each key type and profile`, async () => {
      const other = await peculiar(issuer);
      for (const publicKey of publicKeys) {
        const workload = workloadFields({ publicKey });
        assert.equal(workloadTbs(issuer, workload), await other(workloadProfile, workload));
        const serving = workloadFields({ publicKey, subjectAltNames: servingNames });
        const tbs = authorityOf(issuer).authority.encodeServing(serving);
        assert.equal(hex(tbs), await other(servingProfile, serving));
      }
    });
  }

  it("at identity lengths around every change of a length octet", async () => {
    const other = await peculiar("p256");
    const lengths = [...range(20, 300), ...range(300, 2_048, 97), 2_047, 2_048];
    for (const length of lengths) {
      const fields = workloadFields({ subjectAltNames: { uris: [uriOfLength(length)] } });
      assert.equal(workloadTbs("p256", fields), await other(workloadProfile, fields), `${length}`);
    }
  });

  it("for serials with zero and high bits in front", async () => {
    const other = await peculiar("p256");
    for (const serial of oddSerials) {
      const fields = workloadFields({ serial: Buffer.from(serial, "hex") });
      assert.equal(workloadTbs("p256", fields), await other(workloadProfile, fields), serial);
    }
  });

  it("on both sides of 2050, with milliseconds cut off", async () => {
    const other = await peculiar("p256");
    for (const notAfter of ["2049-12-31T23:59:59.999Z", "2050-01-01T00:00:00.001Z"]) {
      const fields = workloadFields({ notAfterMs: Date.parse(notAfter) });
      assert.equal(workloadTbs("p256", fields), await other(workloadProfile, fields), notAfter);
    }
  });
});

describe("a leaf", () => {
  it("is read back as what was meant at every length of its identity", () => {
    const { authority } = authorityOf("p256");
    const signature = new Uint8Array(71);
    const signed = { ...authority, signer: { ...authority.signer, sign: () => signature } };
    for (let length = 13; length <= 2_048; length++) {
      const uri = uriOfLength(length);
      const tbs = authority.encodeWorkload(workloadFields({ subjectAltNames: { uris: [uri] } }));
      const certificate = parseCertificate(signLeaf(signed, tbs));
      assert.equal(certificate.uris.length, 1);
      assert.equal(certificate.uris[0], uri);
      assert.equal(hex(certificate.tbs), hex(tbs));
      assert.equal(hex(certificate.spki), hex(p256Key?.spki ?? Uint8Array.of()));
    }
  });

  it("has its own validity, whatever the one before it had", () => {
    const { authority } = authorityOf("p256");
    const [now, later] = [nowMs, nowMs + 1_000];
    const dates = [
      [now, later],
      [now, later + 1_000],
      [later, later + 1_000],
      [later, later],
      [now, later],
    ] as const;
    for (const [notBeforeMs, notAfterMs] of dates) {
      const tbs = authority.encodeWorkload(workloadFields({ notBeforeMs, notAfterMs }));
      const certificate = parseCertificate(signLeaf(authority, tbs));
      assert.equal(certificate.notBeforeMs, notBeforeMs);
      assert.equal(certificate.notAfterMs, notAfterMs);
    }
  });

  it("is accepted by OpenSSL and by Node under each type of root", () => {
    for (const type of rootKeyTypes) {
      const { authority, root } = authorityOf(type);
      const issuer = new X509Certificate(root);
      const leaves = publicKeys.flatMap((publicKey) => [
        authority.encodeWorkload(workloadFields({ publicKey })),
        authority.encodeServing(workloadFields({ publicKey, subjectAltNames: servingNames })),
      ]);
      const certificates = leaves.map((tbs) => signLeaf(authority, tbs));
      opensslVerify(root, certificates, nowMs, ["-purpose", "sslserver"]);
      for (const der of certificates) {
        const certificate = new X509Certificate(der);
        assert.ok(certificate.checkIssued(issuer));
        assert.ok(certificate.verify(issuer.publicKey));
        assert.equal(certificate.ca, false);
      }
    }
  });

  it("is accepted by OpenSSL as a client's at any identity length and with any serial", () => {
    const { authority, root } = authorityOf("p256");
    const fields = [
      ...[13, 64, 127, 128, 129, 200, 255, 256, 257, 512, 2_048].map((length) =>
        workloadFields({ subjectAltNames: { uris: [uriOfLength(length)] } }),
      ),
      ...oddSerials.map((serial) => workloadFields({ serial: Buffer.from(serial, "hex") })),
    ];
    const leaves = fields.map((each) => signLeaf(authority, authority.encodeWorkload(each)));
    opensslVerify(root, leaves, nowMs, ["-purpose", "sslclient"]);
  });

  it("of a control plane may not be a client", () => {
    const { authority, root } = authorityOf("p256");
    const fields = workloadFields({ subjectAltNames: servingNames });
    const leaf = signLeaf(authority, authority.encodeServing(fields));
    assert.throws(() => opensslVerify(root, [leaf], nowMs, ["-purpose", "sslclient"]));
    assert.deepEqual(
      new X509Certificate(leaf).subjectAltName,
      "DNS:localhost, DNS:portcullis.mesh.svc, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
    );
  });

  it("of an EC key has no keyEncipherment (RFC 5480 3), of an RSA key it has", () => {
    const { authority } = authorityOf("p256");
    const usages = publicKeys.map((publicKey) => {
      const tbs = authority.encodeWorkload(workloadFields({ publicKey }));
      return parseCertificate(signLeaf(authority, tbs)).keyUsage;
    });
    assert.deepEqual(usages, [0b001, 0b001, 0b101]);
  });
});

/** 16 octets each. */
const oddSerials: readonly string[] = [
  `00${"11".repeat(15)}`,
  `0080${"11".repeat(14)}`,
  `007f${"11".repeat(14)}`,
  "80".padEnd(32, "0"),
  "7f".padEnd(32, "f"),
  "f".repeat(32),
  "01".padStart(32, "0"),
  "80".padStart(32, "0"),
  "0100".padStart(32, "0"),
];

function uriOfLength(length: number): string {
  return "spiffe://td/".padEnd(length, "abcdefghi-");
}

function range(from: number, to: number, step = 1): number[] {
  return Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step);
}

function workloadTbs(issuer: RootKeyType, fields: LeafFields): string {
  return hex(authorityOf(issuer).authority.encodeWorkload(fields));
}

type OtherEncoder = (profile: LeafProfile, fields: LeafFields) => Promise<string>;

const webAlgorithms = {
  p256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  p384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  rsa3072: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  rsa4096: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
} as const;

/** The same certificate from the library that shares no line with ours. */
async function peculiar(issuer: RootKeyType): Promise<OtherEncoder> {
  const { authority, privateKeyPkcs8 } = authorityOf(issuer);
  const algorithm = webAlgorithms[issuer];
  const signingKey = await webcrypto.subtle.importKey(
    "pkcs8",
    Uint8Array.from(privateKeyPkcs8),
    algorithm,
    false,
    ["sign"],
  );
  return async (profile, { serial, notBeforeMs, notAfterMs, subjectAltNames, publicKey }) => {
    const usage = publicKey.type === "rsa" ? KeyUsageFlags.keyEncipherment : 0;
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber: hex(serial),
        issuer: new Name(Uint8Array.from(authority.certificate.subjectDer)),
        notBefore: new Date(notBeforeMs),
        notAfter: new Date(notAfterMs),
        publicKey: Uint8Array.from(publicKey.spki),
        signingKey,
        signingAlgorithm: algorithm,
        extensions: [
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature | usage, true),
          new ExtendedKeyUsageExtension([...profile.extendedKeyUsages], false),
          new BasicConstraintsExtension(false, undefined, true),
          new AuthorityKeyIdentifierExtension(authority.signer.id, false),
          new SubjectKeyIdentifierExtension(hex(subjectKeyIdentifier(publicKey.spki)), false),
          new SubjectAlternativeNameExtension(jsonNames(subjectAltNames), true),
        ],
      },
      webcrypto,
    );
    return hex(parseCertificate(new Uint8Array(certificate.rawData)).tbs);
  };
}

function jsonNames(names: LeafFields["subjectAltNames"]): JsonGeneralNames {
  return [
    ...(names.uris ?? []).map((value) => ({ type: "url" as const, value })),
    ...(names.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
    ...(names.ipAddresses ?? []).map((address) => ({
      type: "ip" as const,
      value: address.length === 4 ? address.join(".") : "::1",
    })),
  ];
}
