"""Rights as MySQL and MariaDB print them, and the statements that give and take them."""

import pytest

from rotation.engines.mysql_rights import Right, option_statements, rights_of

OWNER, CLONE = "`app`@`%`", "'app_clone'@'%'"
CERTIFICATE = "REQUIRE ISSUER '/CN=ACCOUNT LOCK' SUBJECT '/CN=x'"
MARIADB = "CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*6C89'"
MYSQL = (
    "CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$it\\'s REQUIRE X509' {} "
    "PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT "
    "PASSWORD REQUIRE CURRENT DEFAULT"
)


@pytest.mark.parametrize(
    ("line", "given", "taken"),
    [
        (f"GRANT USAGE ON *.* TO {OWNER} IDENTIFIED BY PASSWORD '*6C89' REQUIRE SSL", set(), set()),
        (
            f"GRANT RELOAD, CREATE USER ON *.* TO {OWNER} IDENTIFIED BY PASSWORD '*6C89' WITH MAX_USER_CONNECTIONS 5",
            {f"GRANT RELOAD ON *.* TO {CLONE}", f"GRANT CREATE USER ON *.* TO {CLONE}"},
            {f"REVOKE RELOAD ON *.* FROM {CLONE}", f"REVOKE CREATE USER ON *.* FROM {CLONE}"},
        ),
        (
            f"GRANT ALL PRIVILEGES ON `a\\_b%`.* TO {OWNER} WITH GRANT OPTION",
            {f"GRANT ALL PRIVILEGES ON `a\\_b%`.* TO {CLONE}", f"GRANT USAGE ON `a\\_b%`.* TO {CLONE} WITH GRANT OPTION"},
            {f"REVOKE ALL PRIVILEGES ON `a\\_b%`.* FROM {CLONE}", f"REVOKE GRANT OPTION ON `a\\_b%`.* FROM {CLONE}"},
        ),
        (
            f"GRANT SELECT, INSERT (`a`, `b), ON ``c`) ON `d`.`t` TO {OWNER}",
            {
                f"GRANT SELECT ON `d`.`t` TO {CLONE}",
                f"GRANT INSERT (`a`) ON `d`.`t` TO {CLONE}",
                f"GRANT INSERT (`b), ON ``c`) ON `d`.`t` TO {CLONE}",
            },
            {
                f"REVOKE SELECT ON `d`.`t` FROM {CLONE}",
                f"REVOKE INSERT (`a`) ON `d`.`t` FROM {CLONE}",
                f"REVOKE INSERT (`b), ON ``c`) ON `d`.`t` FROM {CLONE}",
            },
        ),
        (
            f"GRANT EXECUTE, ALTER ROUTINE ON PROCEDURE `d`.`p` TO {OWNER}",
            {f"GRANT EXECUTE ON PROCEDURE `d`.`p` TO {CLONE}", f"GRANT ALTER ROUTINE ON PROCEDURE `d`.`p` TO {CLONE}"},
            {f"REVOKE EXECUTE ON PROCEDURE `d`.`p` FROM {CLONE}", f"REVOKE ALTER ROUTINE ON PROCEDURE `d`.`p` FROM {CLONE}"},
        ),
        (
            f"GRANT EXECUTE ON PACKAGE BODY `d`.`p` TO {OWNER}",
            {f"GRANT EXECUTE ON PACKAGE BODY `d`.`p` TO {CLONE}"},
            {f"REVOKE EXECUTE ON PACKAGE BODY `d`.`p` FROM {CLONE}"},
        ),
        (
            f"GRANT BACKUP_ADMIN,ROLE_ADMIN ON *.* TO {OWNER} WITH GRANT OPTION",
            {
                f"GRANT BACKUP_ADMIN ON *.* TO {CLONE} WITH GRANT OPTION",
                f"GRANT ROLE_ADMIN ON *.* TO {CLONE} WITH GRANT OPTION",
            },
            {f"REVOKE BACKUP_ADMIN ON *.* FROM {CLONE}", f"REVOKE ROLE_ADMIN ON *.* FROM {CLONE}"},
        ),
        (
            f"GRANT PROXY ON ''@'%' TO {OWNER} WITH GRANT OPTION",
            {f"GRANT PROXY ON ''@'%' TO {CLONE} WITH GRANT OPTION"},
            {f"REVOKE PROXY ON ''@'%' FROM {CLONE}"},
        ),
        (
            f"REVOKE INSERT, UPDATE ON `world`.* FROM {OWNER}",
            {f"REVOKE INSERT ON `world`.* FROM {CLONE}", f"REVOKE UPDATE ON `world`.* FROM {CLONE}"},
            {f"GRANT INSERT ON `world`.* TO {CLONE}", f"GRANT UPDATE ON `world`.* TO {CLONE}"},
        ),
        (f"GRANT `readers` TO {OWNER}", {f"GRANT `readers` TO {CLONE}"}, {f"REVOKE `readers` FROM {CLONE}"}),
        (
            f"GRANT `a, TO b`@`%`,`c`@`h` TO {OWNER} WITH ADMIN OPTION",
            {f"GRANT `a, TO b`@`%` TO {CLONE} WITH ADMIN OPTION", f"GRANT `c`@`h` TO {CLONE} WITH ADMIN OPTION"},
            {f"REVOKE `a, TO b`@`%` FROM {CLONE}", f"REVOKE `c`@`h` FROM {CLONE}"},
        ),
    ],
)
def test_a_line_of_show_grants_is_read_as_what_it_says(line: str, given: set[str], taken: set[str]) -> None:
    rights = rights_of([line], []).rights
    assert {right.given_to(CLONE) for right in rights} == given
    assert {right.taken_from(CLONE) for right in rights} == taken


def test_an_option_that_a_string_talks_of_is_none() -> None:
    line = f"GRANT RELOAD ON *.* TO {OWNER} IDENTIFIED BY PASSWORD '*6C89' REQUIRE SUBJECT '/CN=WITH GRANT OPTION'"
    assert rights_of([line], []).rights == {Right("RELOAD", "*.*")}


@pytest.mark.parametrize(
    ("owner", "clone", "statements"),
    [
        (MARIADB, MARIADB, []),
        (f"{MARIADB} ACCOUNT LOCK", MARIADB, []),
        (
            f"{MARIADB} {CERTIFICATE} WITH MAX_USER_CONNECTIONS 5 ACCOUNT LOCK PASSWORD EXPIRE INTERVAL 30 DAY",
            MARIADB,
            [f"ALTER USER {CLONE} {CERTIFICATE} WITH MAX_USER_CONNECTIONS 5 PASSWORD EXPIRE INTERVAL 30 DAY"],
        ),
        (
            MARIADB,
            f"{MARIADB} REQUIRE X509 WITH MAX_STATEMENT_TIME 3.000000 PASSWORD EXPIRE NEVER",
            [f"ALTER USER {CLONE} REQUIRE NONE WITH MAX_STATEMENT_TIME 0 PASSWORD EXPIRE DEFAULT"],
        ),
        (f"{MARIADB} PASSWORD EXPIRE", MARIADB, []),
        (MYSQL.format("REQUIRE NONE"), MYSQL.format("REQUIRE NONE"), []),
        (
            MYSQL.format("DEFAULT ROLE `a`@`%`,`b`@`%` REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 9"),
            MYSQL.format("REQUIRE NONE WITH MAX_USER_CONNECTIONS 2"),
            [
                f"ALTER USER {CLONE} REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 9 MAX_USER_CONNECTIONS 0",
                f"ALTER USER {CLONE} DEFAULT ROLE `a`@`%`,`b`@`%`",
            ],
        ),
        (
            MYSQL.format("REQUIRE NONE"),
            MYSQL.format("DEFAULT ROLE `a`@`%` REQUIRE NONE") + " FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME UNBOUNDED",
            [f"ALTER USER {CLONE} FAILED_LOGIN_ATTEMPTS 0 PASSWORD_LOCK_TIME 0", f"ALTER USER {CLONE} DEFAULT ROLE NONE"],
        ),
        (MYSQL.format("REQUIRE NONE") + ' ATTRIBUTE \'{"a": "REQUIRE SSL"}\'', MYSQL.format("REQUIRE NONE"), []),
        (MYSQL.format("REQUIRE NONE").replace("'$A$005$it\\'s REQUIRE X509'", "<secret>"), MYSQL.format("REQUIRE NONE"), []),
    ],
)
def test_the_clone_gets_the_options_that_differ(owner: str, clone: str, statements: list[str]) -> None:
    has, wanted = rights_of([], [clone]), rights_of([], [owner])
    assert list(option_statements(wanted, has, CLONE, is_mariadb=False)) == statements


def test_mariadb_names_the_default_role_among_the_grants() -> None:
    wanted = rights_of([f"GRANT `readers` TO {OWNER}", f"SET DEFAULT ROLE `readers` FOR {OWNER}"], [MARIADB])
    without = rights_of([], [MARIADB])
    assert list(option_statements(wanted, without, CLONE, is_mariadb=True)) == [f"SET DEFAULT ROLE `readers` FOR {CLONE}"]
    assert list(option_statements(without, wanted, CLONE, is_mariadb=True)) == [f"SET DEFAULT ROLE NONE FOR {CLONE}"]


def test_what_mariadb_adds_about_an_expired_password_is_read() -> None:
    lines = [f"{MARIADB} PASSWORD EXPIRE", "ALTER USER `app`@`%` PASSWORD EXPIRE INTERVAL 300 DAY"]
    assert rights_of([], lines).options == {"PASSWORD EXPIRE": "INTERVAL 300 DAY"}
