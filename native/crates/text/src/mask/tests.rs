use super::*;

fn everything() -> Replacements {
    let one = |word: &str| vec![word.to_string()];
    Replacements {
        email: one("<EMAIL>"),
        ip: one("<IP>"),
        phone: one("<PHONE>"),
        secret: one("<KEY>"),
        only_public_ips: true,
        any_email_suffix: false,
    }
}

fn masked(text: &str) -> String {
    mask(&[text.to_string()], &everything())
        .remove(0)
        .text
        .unwrap_or_else(|| text.to_string())
}

fn stays(text: &str) {
    assert_eq!(masked(text), text);
}

#[test]
fn mail_addresses_go_and_products_of_matrices_stay() {
    assert_eq!(
        masked("Write to jane.doe+x@mail.example.co.uk."),
        "Write to <EMAIL>."
    );
    assert_eq!(
        masked("<joe@a-b.org>, \"é joe@b.de\""),
        "<<EMAIL>>, \"é <EMAIL>\""
    );
    assert_eq!(
        masked("root@[192.0.2.1] ..a@b.org"),
        "root@[192.0.2.1] ..a@b.org"
            .replace("root@[192.0.2.1]", "<EMAIL>")
            .replace("a@b.org", "<EMAIL>")
    );
    stays("y = x@W.T + b@grad.dtype");
    stays("@decorator.org and a@b and user@host.local and a@-b.org");
}

#[test]
fn public_addresses_go_and_versions_and_headings_stay() {
    assert_eq!(
        masked("from 93.184.216.34:80 to 10.0.0.1"),
        "from <IP>:80 to 10.0.0.1"
    );
    assert_eq!(
        masked("http://8.8.8.8/ [2606:4700::1111]"),
        "http://<IP>/ [<IP>]"
    );
    stays(
        "v1.2.3.4 Chrome/91.0.44.124 version 4.3.2.1 lib-1.2.3.4 1.3.6.1.4.1 8.8.8.8-rc1 256.1.1.1 01.2.3.4",
    );
    stays(
        "\n1.2.3.4 Results\nSection 2.3.4.5 says 12:30:45 std::fee::add 2001:db8::1 fe80::1 127.0.0.1",
    );
}

#[test]
fn telephone_numbers_of_many_countries_go() {
    for number in [
        "+1 415 555 2671",
        "+1 (415) 555-2671",
        "+44 20 7946 0958",
        "+44 (0)20 7946 0958",
        "+49 30 123456",
        "+33 1 42 68 53 00",
        "+4915112345678",
        "(415) 555-2671",
        "415-555-2671",
        "1-800-356-9377",
        "415.555.2671",
        "01 42 68 53 00",
        "020 7946 0958",
        "07911 123456",
        "030/12345678",
        "03-3224-9999",
        "(11) 91234-5678",
        "+86 138 1234 5678",
        "+91 98765 43210",
    ] {
        assert_eq!(
            masked(&format!("Call {number}, or write.")),
            "Call <PHONE>, or write.",
            "{number}"
        );
    }
    assert_eq!(
        masked("Tel: 555 2671 and Fax 55 26 71 00"),
        "Tel: <PHONE> and Fax <PHONE>"
    );
    assert_eq!(masked("电话：13812345678"), "电话：<PHONE>");
}

#[test]
fn numbers_that_call_nobody_stay() {
    stays("On 2024-01-15 at 12:30, 1999-2000, 15/01/2024, 2024.01.15, 20240115123000.");
    stays(
        "2000 - 300 = 1700, 800-200-1000 = -400, 1 234 567 890, 3.14159265358979, +3.14159265, $415-555-2671",
    );
    stays(
        "isbn 978-3-16-148410-0, 0123456789, 01415 92653 58979 32384, 0x0040 1234 5678, 12345-6789, 123-45-6789",
    );
    stays("x+15551234567 rows 555 123 4567 8, 192.168.100.200, 1.800.3.4, +1 202-555-0143");
}

#[test]
fn secrets_go_and_what_stands_for_them_stays() {
    // Put together here, so that no scanner takes this file for a leak.
    let github = ["ghp", "_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"].concat();
    let amazon = ["AK", "IA", "Q3EGRZ7XN5PLM2WD"].concat();
    assert_eq!(masked(&format!("t = '{github}'")), "t = '<KEY>'");
    assert_eq!(masked(&format!("id: {amazon}\n")), "id: <KEY>\n");
    assert_eq!(
        masked("api_key = \"8f3kd93jfa0dk3lfp20d\""),
        "api_key = \"<KEY>\""
    );
    assert_eq!(
        masked("\"password\": \"Tr0ub4dor&3x\","),
        "\"password\": \"<KEY>\","
    );
    assert_eq!(
        masked("postgres://me:s3cr7Xq9@db.org/x"),
        "postgres://me:<KEY>@db.org/x"
    );
    let body = "MIIEowIBAAKCAQEA7bq3xF9vZk1sW8dTn5Yp2LqRj6GhUaXc0eOiMtKfBwVyDs4P\\nQz";
    let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----");
    assert_eq!(masked(&format!("k = '''{key}'''")), "k = '''<KEY>'''");
    stays(
        "AKIAIOSFODNN7EXAMPLE ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx api_key = 'your-api-key-goes-here'",
    );
    stays(
        "token = tokens.next_token_after1(2); password = request.form['password']; secret_name=\"my.secret.name1\"",
    );
    stays(
        "https://user:password@localhost/ -----BEGIN PUBLIC KEY----- -----BEGIN PRIVATE KEY----- ... -----END PRIVATE KEY-----",
    );
}

#[test]
fn an_address_with_a_password_is_no_mail_address() {
    assert_eq!(
        masked("see https://bob:Gx7pq2Lm@files.example.org/"),
        "see https://bob:<KEY>@files.example.org/"
    );
}

#[test]
fn replacements_take_turns_and_masking_twice_changes_nothing() {
    let mut replacements = everything();
    replacements.email = vec![
        "email@example.com".into(),
        "firstname.lastname@example.org".into(),
    ];
    let text = "a@x.org, b@y.org, c@z.org".to_string();
    let once = mask(&[text], &replacements).remove(0);
    assert_eq!(once.counts, [3, 0, 0, 0, 0, 0]);
    let once = once.text.unwrap();
    assert_eq!(
        once,
        "email@example.com, firstname.lastname@example.org, email@example.com"
    );
    assert_eq!(
        mask(std::slice::from_ref(&once), &replacements)
            .remove(0)
            .text
            .unwrap(),
        once
    );
}

#[test]
fn anything_at_all_is_masked_without_a_fault() {
    let alphabet: Vec<char> = "+(0)1.2-/: 9@aé。[]\nfe:://BEGIN-----\u{a0}–=\"'tel:password"
        .chars()
        .collect();
    let mut state = 0x9e3779b97f4a7c15u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..40 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push(alphabet[(state % alphabet.len() as u64) as usize]);
        }
        masked(&text);
    }
}
