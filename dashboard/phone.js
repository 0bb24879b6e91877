// Telephone numbers for people: from the way they are written at home to E.164, and to the way they
// are dialled from a country. A help while typing; whether a number is one, the server says.

/** Calling code and trunk prefix (what stands before a national number at home). */
const PLANS = {
  US: ["1", "1"],
  CA: ["1", "1"],
  FR: ["33", "0"],
  GB: ["44", "0"],
  DE: ["49", "0"],
  AT: ["43", "0"],
  CH: ["41", "0"],
  BE: ["32", "0"],
  NL: ["31", "0"],
  IE: ["353", "0"],
  SE: ["46", "0"],
  FI: ["358", "0"],
  AU: ["61", "0"],
  NZ: ["64", "0"],
  JP: ["81", "0"],
  IN: ["91", "0"],
  BR: ["55", "0"],
  ZA: ["27", "0"],
  ES: ["34", ""],
  IT: ["39", ""],
  PT: ["351", ""],
  LU: ["352", ""],
  PL: ["48", ""],
  DK: ["45", ""],
  NO: ["47", ""],
  CZ: ["420", ""],
  SG: ["65", ""],
  HK: ["852", ""],
  MX: ["52", ""],
};
const INTERNATIONAL = { US: "011", CA: "011", AU: "0011", JP: "010", BR: "0021", SG: "001", HK: "001" };

/** The countries whose numbering is known here, ISO 3166. */
export const COUNTRIES = Object.keys(PLANS);

/** `France` of `FR`; codes that nobody knows stay as they are. */
export function countryName(code) {
  try {
    return new Intl.DisplayNames("en", { type: "region" }).of(code);
  } catch {
    return code;
  }
}

/** The country whose calling code an E.164 number begins with; `US` for all of +1. */
export function countryOf(e164) {
  const digits = e164.slice(1);
  const found = COUNTRIES.filter((code) => digits.startsWith(PLANS[code][0]));
  return found.sort((a, b) => PLANS[b][0].length - PLANS[a][0].length)[0] ?? null;
}

/**
 * `06 12 34 56 78` and FR -> `+33612345678`; null if it cannot be one.
 * @param {string} text as somebody wrote it @param {string} country ISO 3166, for national forms
 */
export function toE164(text, country) {
  const bare = text.replace(/\(0\)/, "").replace(/[\s().\/-]/g, "");
  if (!/^\+?\d+$/.test(bare)) return null;
  const [code, trunk] = PLANS[country] ?? ["", ""];
  const abroad = INTERNATIONAL[country] ?? "00";
  let e164;
  if (bare.startsWith("+")) e164 = bare;
  else if (bare.startsWith(abroad)) e164 = `+${bare.slice(abroad.length)}`;
  else if (bare.startsWith("00")) e164 = `+${bare.slice(2)}`;
  else if (!code) return null;
  // In North America the trunk prefix is the calling code: what has ten digits lacks both.
  else if (trunk && bare.startsWith(trunk) && (code !== "1" || bare.length === 11))
    e164 = `+${code}${bare.slice(trunk.length)}`;
  else e164 = `+${code}${bare}`;
  return /^\+[1-9]\d{6,14}$/.test(e164) ? e164 : null;
}

/** `+33612345678` as it is dialled from a fixed line in `country`: `0612345678`, `0033…`, `011…`. */
export function dialledFrom(e164, country) {
  const [code, trunk] = PLANS[country];
  if (e164.startsWith(`+${code}`)) return trunk + e164.slice(1 + code.length);
  return (INTERNATIONAL[country] ?? "00") + e164.slice(1);
}

const TIED = "\u00a0"; // a number is not broken over two lines

/** `+33612345678` in groups, to be read; other text (a SIP URI, a name) as it is. */
export function pretty(text) {
  if (!/^\+\d{7,15}$/.test(text)) return text;
  const country = countryOf(text);
  const code = country ? PLANS[country][0] : "";
  const parts = [code, ...groups(code, text.slice(1 + code.length))];
  return `+${parts.filter(Boolean).join(TIED)}`;
}

/** The digits after the country code, as that country writes them. */
function groups(code, rest) {
  if (code === "1" && rest.length === 10) return [rest.slice(0, 3), rest.slice(3, 6), rest.slice(6)];
  if (code === "33" && rest.length === 9) return [rest[0], ...rest.slice(1).match(/../g)];
  return rest.match(/.{1,3}(?!.$)|.{2}/g) ?? [rest];
}
