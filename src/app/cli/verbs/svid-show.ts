/** `portcullis svid show` */

import { parseCertificate, type Certificate } from "../../../core/x509/certificate.ts";
import { parsePublicKey } from "../../../core/x509/public-key.ts";
import { readCertificateFile } from "../certificate-file.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatRelative, formatTimestamp } from "../format.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { formatTable } from "../table.ts";

export const svidShow: Command = defineCommand({
  description:
    "Shows the certificates of a PEM file, the leaf first. Exits 3 when the leaf is not in date.",
  flags: outputFlag,
  positionals: [
    { name: "FILE", help: "PEM file: svid.pem, bundle.pem, root-cert.pem; /dev/stdin for a pipe" },
  ],
  examples: [
    { what: "What was fetched", command: "portcullis svid show web/svid.pem" },
    {
      what: "Seconds until it expires",
      command: "portcullis svid show web/svid.pem -o json | jq '.[0].expiresInSeconds'",
    },
  ],
  async run(context, { output }, [file = ""]) {
    const { certificates } = await readCertificateFile(file, context.signal);
    const nowMs = context.nowMs();
    const shown = certificates.map((der) => show(parseCertificate(der), nowMs));
    await writeOutput(context, output, shown, () =>
      shown.map((each) => table(each, nowMs)).join("\n"),
    );
    return shown[0]?.inDate === true ? ExitCode.ok : ExitCode.warning;
  },
});

function show(certificate: Certificate, nowMs: number) {
  const { uris, dnsNames, serialHex, notBeforeMs, notAfterMs, isCa, spki } = certificate;
  const { type, bits } = parsePublicKey(spki);
  return {
    uris,
    dnsNames,
    serial: serialHex,
    notBefore: formatTimestamp(notBeforeMs),
    notAfter: formatTimestamp(notAfterMs),
    expiresInSeconds: Math.floor((notAfterMs - nowMs) / 1_000),
    inDate: notBeforeMs <= nowMs && nowMs < notAfterMs,
    ca: isCa,
    key: type === "rsa" ? `rsa-${bits}` : type,
    authorityKeyId: hex(certificate.authorityKeyId),
    subjectKeyId: hex(certificate.subjectKeyId),
  };
}

function table(shown: ReturnType<typeof show>, nowMs: number): string {
  const expiry = `${shown.notAfter} (${formatRelative(Date.parse(shown.notAfter), nowMs)})`;
  const names = [...shown.uris, ...shown.dnsNames];
  return formatTable(
    [{ header: "field" }, { header: shown.ca ? "authority" : "leaf" }],
    [
      ...names.map((name) => ["name", name]),
      ["serial", shown.serial],
      ["not before", shown.notBefore],
      ["not after", expiry],
      ["key", shown.key],
      ["key id", shown.subjectKeyId],
      ["issuer key id", shown.authorityKeyId],
    ],
    { colour: false },
  );
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : Buffer.from(bytes).toString("hex");
}
