import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { Pkcs11Error, type Pkcs11ErrorCode } from "./pkcs11-error.ts";
import { parsePkcs11Uri } from "./pkcs11-uri.ts";

const query = "?module-path=/m.so";
const words = (text: string): string[] => text.split(" ");

describe("a PKCS#11 URI", () => {
  it("names a module, a PIN file, a token and a key", () => {
    const token = "token=my%20CA;manufacturer=A&B;model=m:1;serial=00=1;slot-id=7";
    const path = `${token};object=%C3%A4;id=%00%ff;type=private`;
    const uri = parsePkcs11Uri(`pkcs11:${path}?pin-source=file:/run/p%20n&module-path=/a/b.so`);
    assert.deepEqual(uri, {
      modulePath: "/a/b.so",
      pinFile: "/run/p n",
      token: { label: "my CA", manufacturer: "A&B", model: "m:1", serial: "00=1", slotId: 7n },
      key: { label: "ä", id: Uint8Array.of(0x00, 0xff) },
    });
  });

  it("leaves open what it does not name", () => {
    const { modulePath, pinFile, token, key } = parsePkcs11Uri(`PKCS11:${query}`);
    const named = [pinFile, ...Object.values(token), ...Object.values(key)];
    assert.deepEqual([modulePath, ...new Set(named)], ["/m.so", undefined]);
  });

  it("takes each form of a path to the PIN's file", () => {
    const sources = "/run/p file:/run/p file:///run/p file://localhost/run/p file:///run/%2570";
    for (const source of words(sources)) {
      assert.equal(
        parsePkcs11Uri(`pkcs11:${query}&pin-source=${source}`).pinFile,
        "/run/p",
        source,
      );
    }
  });

  it("gives back any label and any bytes that were percent-encoded", () => {
    const percent = (bytes: Uint8Array): string =>
      Buffer.from(bytes).toString("hex").replaceAll(/../g, "%$&");
    const label = fc
      .string({ unit: "binary", minLength: 1, maxLength: 32 })
      .filter((text) => !/[\p{Cc}\uFFFD]/u.test(text));
    fc.assert(
      fc.property(label, fc.uint8Array({ minLength: 1, maxLength: 64 }), (label, id) => {
        const path = `object=${percent(Buffer.from(label))};id=${percent(id)}`;
        assert.deepEqual(parsePkcs11Uri(`pkcs11:${path}${query}`).key, { label, id });
      }),
    );
  });
});

const refused: readonly (readonly [Pkcs11ErrorCode, readonly string[]])[] = [
  [
    "pkcs11-uri-malformed",
    [
      "",
      "file:/m.so",
      " pkcs11:",
      ...["pkcs11", "pkcs11:token", "pkcs11:token=a;", "pkcs11:;token=a"].concat(
        `pkcs11:${query}&`,
      ),
      `pkcs11:object=${"a".repeat(4_096)}${query}`,
    ],
  ],
  [
    "pkcs11-uri-attribute-unknown",
    [
      ...words("Token=a %74oken=a =a library-version=3 slot-description=a x-vendor=a __proto__=a"),
      ...words("module-path=/m.so pin-value=1 ?token=a ?module-path=/m.so&x-vendor=a"),
    ].map((rest) => `pkcs11:${rest}`),
  ],
  [
    "pkcs11-uri-attribute-duplicate",
    words("token=a;token=a id=%01;object=a;id=%02 ?pin-source=/p&pin-source=/p").map(
      (rest) => `pkcs11:${rest}`,
    ),
  ],
  ["pkcs11-uri-attribute-missing", words("pkcs11: pkcs11:token=a pkcs11:token=a?")],
  [
    "pkcs11-uri-attribute-refused",
    [
      `pkcs11:${query}&pin-value=1`,
      `pkcs11:${query}&module-name=a`,
      "pkcs11:?module-name=softhsm2",
    ],
  ],
  [
    "pkcs11-uri-value-invalid",
    [
      "token=a b",
      ...words("token= token=% token=%0 token=%zz token=a/b token=ä token=a#b token=%00 token=%0a"),
      ...words("object=%ff id= type=public type=cert type=PRIVATE"),
      ...words("slot-id= slot-id=-1 slot-id=0x1 slot-id=18446744073709551616"),
    ].map((path) => `pkcs11:${path}${query}`),
  ],
  [
    "pkcs11-uri-value-invalid",
    ["", ...words("m.so ./m.so /m.so%00.png file:/m.so")].map(
      (path) => `pkcs11:?module-path=${path}`,
    ),
  ],
  [
    "pkcs11-uri-value-invalid",
    [
      "",
      ...words("pin |/bin/cat file:pin file: file://host/pin https://host/pin"),
      ...words("file:/pin?a file:/pin%23a file:/a%2500 file:/a%252fb"),
    ].map((source) => `pkcs11:${query}&pin-source=${source}`),
  ],
];

it("is refused by what is wrong with it", () => {
  for (const [code, uris] of refused) {
    for (const uri of uris) {
      assert.throws(
        () => parsePkcs11Uri(uri),
        (error) => {
          assert.ok(error instanceof Pkcs11Error, uri);
          assert.equal(error.code, code, uri);
          return true;
        },
      );
    }
  }
});

it("is never repeated where it may hold a PIN", () => {
  const secret = "4711-4711";
  for (const uri of [
    `pkcs11:token=a?pin-value=${secret}`,
    `pkcs11:token=a;pin-value=${secret}`,
    `pkcs11:token=a?module-path=/m.so&${secret}`,
    `pkcs11:token=a?module-path=/m.so&pin-source=${secret}`,
    `pkcs11:${secret}`,
    secret,
  ]) {
    assert.throws(
      () => parsePkcs11Uri(uri),
      (error) => {
        assert.ok(error instanceof Pkcs11Error);
        assert.doesNotMatch(`${error.stack} ${error.hint}`, new RegExp(secret));
        return true;
      },
    );
  }
});
