/** A self-signed certificate for `localhost` and 127.0.0.1 until 2120, and its key. Nothing outside of these tests trusts it. */
export const certificate: { readonly cert: string; readonly key: string } = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBajCCARGgAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtoaXRoZXIg
dGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIGA1UE
AwwLaGl0aGVyIHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARh9ySQqyzf
4c1YolfdbFekh2FSQcRxITpNuw8bMipzbaC2VoLQ/VORN52q8LKsH8BVY/pRgL9l
vK9tKHdiOoofo04wTDAPBgNVHRMBAf8EBTADAQH/MBoGA1UdEQQTMBGCCWxvY2Fs
aG9zdIcEfwAAATAdBgNVHQ4EFgQUylcZeTl3xp/tnZklpmcak2BTxq8wCgYIKoZI
zj0EAwIDRwAwRAIgAtDDDVrasR38HKpzf9BeH+b0ceFAd2RJTHZo60J+/B0CIClj
zlC1e7nk9SpgaovcE4z+7Av5OdckvI30XQzQX1Gl
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgEmzhmTk6bBhQSHZK
W46eBGStIxoiHlYaDPWj78LYogGhRANCAARh9ySQqyzf4c1YolfdbFekh2FSQcRx
ITpNuw8bMipzbaC2VoLQ/VORN52q8LKsH8BVY/pRgL9lvK9tKHdiOoof
-----END PRIVATE KEY-----
`,
}
