-- The course's schema and data. Running it again restores the starting state of our own tables.
-- Every statement ends with a semicolon at the end of a line and names its table first, in backticks:
-- demos/pool_demo/seed.py relies on that. Only collations that MySQL 8 and MariaDB 10.6 both have.

SET NAMES utf8mb4;
CREATE DATABASE IF NOT EXISTS `book` DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
USE `book`;

-- Drop the tables that refer to others first.
DROP TABLE IF EXISTS `messages`;
DROP TABLE IF EXISTS `friendships`;
DROP TABLE IF EXISTS `logins`;
DROP TABLE IF EXISTS `userinfo`;
DROP TABLE IF EXISTS `stu`;
DROP TABLE IF EXISTS `student`;

-- A5: the table behind "borrow, query, give back", and behind the six operations of A8.
CREATE TABLE `student` (
    id     INT              NOT NULL AUTO_INCREMENT,
    name   VARCHAR(64)      NOT NULL,
    age    TINYINT UNSIGNED NOT NULL,
    gender VARCHAR(8)       NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB AUTO_INCREMENT = 4 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

INSERT INTO `student` (id, name, age, gender) VALUES
    (1, '韩雪', 24, '女'),
    (2, '舒畅', 23, '女'),
    (3, '唐嫣', 25, '女');

-- A3: starts empty; the first step inserts into it.
CREATE TABLE `stu` (
    id   INT              NOT NULL AUTO_INCREMENT,
    name VARCHAR(64)      NOT NULL,
    age  TINYINT UNSIGNED NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB AUTO_INCREMENT = 1 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- B3: accounts. Names compare by code point: two names that differ are two users. This collation ignores
-- blanks at the end when it compares, so a name may not start or end with one.
-- `name_key` is what names that look alike have in common (demos/group_chat/rules/names.py): registration keeps it unique.
-- A password is stored as a scrypt hash only; a clear one is refused (E14).
CREATE TABLE `userinfo` (
    id       INT          NOT NULL AUTO_INCREMENT,
    name     VARCHAR(32)  NOT NULL,
    name_key VARCHAR(600) NULL,
    password VARCHAR(255) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY userinfo_name (name),
    UNIQUE KEY userinfo_name_key (name_key),
    CONSTRAINT userinfo_name_is_trimmed CHECK (name <> '' AND CHAR_LENGTH(name) = CHAR_LENGTH(TRIM(name))),
    CONSTRAINT userinfo_password_is_hashed CHECK (password LIKE 'scrypt:_%:_%:_%$_%$_%')
) ENGINE = InnoDB AUTO_INCREMENT = 5 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The classroom password of all four is: let-me-learn
INSERT INTO `userinfo` (id, name, name_key, password) VALUES
    (1, '韩雪', '韩雪', 'scrypt:32768:8:1$XBKNUdyWmx5XAIvO$c59b06500b7b1a9b926d89e273ccfa13a5a175759e4b97ee0d76fb0d55c0d6bce287d87e07ecea99e1d481e4576dec4cf2d6d9f88b79060919365cd67f930899'),
    (2, '舒畅', '舒畅', 'scrypt:32768:8:1$a4mlGiRRX3RjLL55$c4acd9e10697f6ab66fdac0e031f0073aba3ee84518a3f43784ba2174cf3650f6dfe0af55acb5b7de71e8e086203276b1055922650053649ef7428d238a3b0b5'),
    (3, '唐嫣', '唐嫣', 'scrypt:32768:8:1$hiOcv9x0TA2F3KI0$8d0e9fcc1470a7e31996599e6d1636aaf9c486fe451239f8eae25bb97910cea70b0c5c5eca799267e7084751929f49a4721cb2392b11b4fe29fc51a236ff6e6e'),
    (4, '小甜甜', '小甜甜', 'scrypt:32768:8:1$1vPFXFg1weziTtsn$1b3c6a6ffc1ed5454a606da3dcf0fc87fd61c0b842636e93a7ed2783018383588daa45b80b9c65c1ee22d0cd71d7aed5ad0a024c790ea71d890c725683bd099f');

-- B3: one row per log-in. A cookie names its row, so a log-out ends the cookie wherever it was copied to. It names it by
-- a random token: numbers begin anew with the tables, and an old cookie would be another user's.
CREATE TABLE `logins` (
    id       BIGINT      NOT NULL AUTO_INCREMENT,
    token    CHAR(32)    NOT NULL,
    user_id  INT         NOT NULL,
    began_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
    ended_at DATETIME(3) NULL,
    PRIMARY KEY (id),
    UNIQUE KEY logins_token (token),
    KEY logins_user (user_id),
    CONSTRAINT logins_user FOREIGN KEY (user_id) REFERENCES `userinfo` (id)
) ENGINE = InnoDB AUTO_INCREMENT = 1 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- B5: one row per pair, the smaller id first, so that two requests that cross meet in the same row.
-- `actor_id` made the last move: asked, accepted, declined or parted. A block belongs to one of the two alone: it ends
-- the friendship, and who is blocked may ask again and is not heard.
-- All times of this schema are UTC.
CREATE TABLE `friendships` (
    low_id      INT         NOT NULL,
    high_id     INT         NOT NULL,
    state       ENUM ('none', 'requested', 'accepted', 'declined') NOT NULL,
    actor_id    INT         NOT NULL,
    low_blocks  BOOLEAN     NOT NULL DEFAULT FALSE,
    high_blocks BOOLEAN     NOT NULL DEFAULT FALSE,
    changed_at  DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
    PRIMARY KEY (low_id, high_id),
    KEY friendships_of_high (high_id, state),
    KEY friendships_actor (actor_id),
    CONSTRAINT friendships_low FOREIGN KEY (low_id) REFERENCES `userinfo` (id),
    CONSTRAINT friendships_high FOREIGN KEY (high_id) REFERENCES `userinfo` (id),
    CONSTRAINT friendships_by FOREIGN KEY (actor_id) REFERENCES `userinfo` (id),
    CONSTRAINT friendships_ordered CHECK (low_id < high_id),
    CONSTRAINT friendships_actor_in_pair CHECK (actor_id = low_id OR actor_id = high_id),
    CONSTRAINT friendships_without_block CHECK (state <> 'accepted' OR NOT (low_blocks OR high_blocks))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO `friendships` (low_id, high_id, state, actor_id, changed_at) VALUES
    (1, 2, 'accepted', 2, '2024-01-01 08:00:00'),
    (1, 3, 'accepted', 3, '2024-01-01 08:01:00'),
    (2, 3, 'accepted', 2, '2024-01-01 08:02:00'),
    (1, 4, 'requested', 4, '2024-01-01 08:03:00');

-- B4, B6: messages between two users.
-- `client_id` is made by the sender's client (a UUID), once per message: sending it again inserts nothing twice.
-- Undelivered, in order:   recipient_id = ? AND delivered_at IS NULL ORDER BY id
-- Unread, of one friend:    recipient_id = ? AND read_at IS NULL AND sender_id = ? ORDER BY id
-- A page of a conversation: low_id = ? AND high_id = ? AND id < ? ORDER BY id DESC LIMIT ?
CREATE TABLE `messages` (
    id           BIGINT        NOT NULL AUTO_INCREMENT,
    sender_id    INT           NOT NULL,
    recipient_id INT           NOT NULL,
    low_id       INT           GENERATED ALWAYS AS (LEAST(sender_id, recipient_id)) STORED,
    high_id      INT           GENERATED ALWAYS AS (GREATEST(sender_id, recipient_id)) STORED,
    client_id    VARCHAR(36)   NOT NULL,
    body         VARCHAR(4000) NOT NULL,
    sent_at      DATETIME(3)   NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
    delivered_at DATETIME(3)   NULL,
    read_at      DATETIME(3)   NULL,
    PRIMARY KEY (id),
    UNIQUE KEY messages_once (sender_id, client_id),
    KEY messages_undelivered (recipient_id, delivered_at, id),
    KEY messages_unread (recipient_id, read_at, sender_id, id),
    KEY messages_conversation (low_id, high_id, id),
    CONSTRAINT messages_sender FOREIGN KEY (sender_id) REFERENCES `userinfo` (id),
    CONSTRAINT messages_recipient FOREIGN KEY (recipient_id) REFERENCES `userinfo` (id),
    CONSTRAINT messages_read_is_delivered CHECK (read_at IS NULL OR delivered_at IS NOT NULL)
) ENGINE = InnoDB AUTO_INCREMENT = 1 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
