/** TLS of the web that a proxy begins, on the wire and back. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClientTls } from "../../core/resources/client-tls.ts";
import type { Origination, OriginationSchema } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { parseSans, parseSni, parseText } from "./policy-fields.ts";

const pathLengthMax = 4_096;

export function encodeOrigination(tls: ClientTls): MessageInitShape<typeof OriginationSchema> {
  const { mode, subjectAltNames, insecureSkipVerify } = tls;
  if (mode !== "SIMPLE" && mode !== "MUTUAL") throw new TypeError(`${mode} originates no TLS`);
  return {
    mutual: mode === "MUTUAL",
    subjectAltNames: [...subjectAltNames],
    insecureSkipVerify,
    ...optionalTexts(tls),
  };
}

/** @throws MeshMessageError */
export function parseOrigination(wire: Origination, path: string): ClientTls {
  const { mutual, subjectAltNames, insecureSkipVerify } = wire;
  const texts = optionalTexts(wire);
  for (const [name, text] of Object.entries(texts)) {
    if (name === "sni") parseSni(text, `${path}.sni`);
    else parseText(text, pathLengthMax, `${path}.${name}`);
  }
  return {
    mode: mutual ? "MUTUAL" : "SIMPLE",
    sni: texts.sni,
    subjectAltNames: parseSans(subjectAltNames, `${path}.subject_alt_names`),
    caCertificates: texts.caCertificates,
    clientCertificate: texts.clientCertificate,
    privateKey: texts.privateKey,
    insecureSkipVerify,
  };
}

type OptionalTexts = Partial<
  Record<"sni" | "caCertificates" | "clientCertificate" | "privateKey", string>
>;

/** Those that are there. */
function optionalTexts({
  sni,
  caCertificates,
  clientCertificate,
  privateKey,
}: {
  readonly [Name in keyof OptionalTexts]: string | undefined;
}): OptionalTexts {
  return {
    ...(sni !== undefined && { sni }),
    ...(caCertificates !== undefined && { caCertificates }),
    ...(clientCertificate !== undefined && { clientCertificate }),
    ...(privateKey !== undefined && { privateKey }),
  };
}
