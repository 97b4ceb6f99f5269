//! What the class and id of an element say about it. Names are taken apart into words (`entry-content`,
//! `entryContent`, `entry_content` are "entry" and "content"), and single words, pairs and triples of neighbours are
//! looked up, so that no site has to be known.

use rustc_hash::FxHashMap;
use std::sync::OnceLock;

/// Bits of what a name says.
pub type Marks = u16;

/// Never part of the text: consent, sharing, advertising, navigation.
pub const FURNITURE: Marks = 1;
/// Not part of the text if it is small against the page: teasers, boxes about the author, lists of tags.
pub const SIDE: Marks = 1 << 1;
/// What readers wrote below an article.
pub const COMMENTS: Marks = 1 << 2;
/// The text of an article, by the names that publishing systems give it.
pub const BODY: Marks = 1 << 3;
/// A larger box that the article is in.
pub const CONTENT: Marks = 1 << 4;
/// One contribution of a thread.
pub const POST: Marks = 1 << 5;
/// Not shown to readers.
pub const HIDDEN: Marks = 1 << 6;
/// Says that the page's frame begins here: its head, side or foot.
pub const FRAME: Marks = 1 << 7;
/// What an article begins with, often outside of its text; where it repeats, what leads to other articles.
pub const LEAD: Marks = 1 << 8;

pub struct Names<'a> {
    known: FxHashMap<(&'a str, &'a str), Marks>,
}

impl<'a> Names<'a> {
    pub fn new() -> Self {
        Self {
            known: FxHashMap::default(),
        }
    }

    /// What the two attributes say together. A page repeats its names, so each pair is taken apart once.
    pub fn marks(&mut self, class: &'a str, id: &'a str) -> Marks {
        if class.is_empty() && id.is_empty() {
            return 0;
        }
        *self
            .known
            .entry((class, id))
            .or_insert_with(|| read(class) | read(id))
    }
}

/// First words of names that say what something has or how it is filed: `has-post-thumbnail`, `tag-social`.
const ABOUT_ANOTHER: [&str; 15] = [
    "has",
    "with",
    "without",
    "no",
    "not",
    "is",
    "category",
    "tag",
    "type",
    "format",
    "status",
    "post_format",
    "depth",
    "menu_item",
    "tribe",
];

/// Longer attributes hold data, not names.
const MAX_BYTES: usize = 1024;

fn read(names: &str) -> Marks {
    let mut marks = 0;
    let mut end = names.len().min(MAX_BYTES);
    while !names.is_char_boundary(end) {
        end -= 1;
    }
    for name in names[..end].split_ascii_whitespace() {
        marks |= read_name(name);
    }
    marks
}

fn read_name(name: &str) -> Marks {
    // Behind two hyphens stands how a part looks, not what it is (`field--label-hidden`).
    let name = name.split("--").next().unwrap_or(name);
    let first = name.split(['-', '_']).next().unwrap_or(name);
    let is_about_another = first.len() < name.len() && ABOUT_ANOTHER.contains(&first);
    // Utility classes of style sheets (`lg:hidden`, `md\:flex`) speak of a width of screen.
    if is_about_another || name.contains(':') {
        return 0;
    }
    let table = table();
    let mut letters = String::with_capacity(name.len());
    let mut starts: Vec<usize> = Vec::new();
    let mut inside = false;
    let mut was_small = false;
    for byte in name.bytes() {
        if !byte.is_ascii_alphabetic() {
            inside = false;
            continue;
        }
        if !inside || (byte.is_ascii_uppercase() && was_small) {
            starts.push(letters.len());
        }
        inside = true;
        was_small = byte.is_ascii_lowercase();
        letters.push(byte.to_ascii_lowercase() as char);
    }
    starts.push(letters.len());
    let words = starts.len() - 1;
    let mut marks = 0;
    for first in 0..words {
        for last in first..words.min(first + 3) {
            if let Some(&found) = table.get(&letters[starts[first]..starts[last + 1]]) {
                let (any, whole) = found;
                marks |= any;
                if first == 0 && last + 1 == words {
                    marks |= whole;
                }
            }
        }
    }
    marks
}

/// Words that say something wherever they stand in a name, and words that do only as the whole of it.
fn table() -> &'static FxHashMap<&'static str, (Marks, Marks)> {
    static TABLE: OnceLock<FxHashMap<&'static str, (Marks, Marks)>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table: FxHashMap<&'static str, (Marks, Marks)> = FxHashMap::default();
        for (marks, words) in ANYWHERE {
            for word in words.split_ascii_whitespace() {
                table.entry(word).or_default().0 |= marks;
            }
        }
        for (marks, words) in WHOLE {
            for word in words.split_ascii_whitespace() {
                table.entry(word).or_default().1 |= marks;
            }
        }
        table
    })
}

const ANYWHERE: [(Marks, &str); 7] = [
    (
        FURNITURE,
        "cookie cookies cookiebar cookiebanner cookieconsent cookienotice consent gdpr onetrust usercentrics didomi \
         sharedaddy shariff addtoany addthis sharethis share sharing sharebar sharebox sharebuttons social socials \
         socialmedia socialshare breadcrumb breadcrumbs navbar navigation subnav submenu mainmenu topmenu menubar \
         sitemap offcanvas skiplink skiplinks skipto advert adverts advertisement advertising adsense adslot adbox adunit \
         banner outbrain taboola newsletter subscribe signup login signin searchform searchbox pagination pager \
         pagenavi prevnext postnavigation popup lightbox toolbar toolbox editsection noprint printonly jprelatedposts \
         paywall sponsored backtotop totop scrolltop warenkorb minicart wpcfseven likebutton fbroot feedback \
         mwjumplink catlinks navbox printfooter siteSub",
    ),
    (
        SIDE,
        "related relatedposts relatedarticles recommended recommendations recommend readmore morelink \
         alsolike readalso seealso mostread mostpopular popular trending latestnews latestposts recentposts \
         authorbox authorbio aboutauthor aboutheauthor authorinfo authordetails postauthor articleauthor byline bio \
         vcard tags taglist tagcloud posttags entrytags tagslinks articletags postmeta entrymeta articlemeta metadata \
         postinfo postfooter entryfooter articlefooter entryutility widgetarea sidebarwidget footerwidget sidebar sidebars infobox promo \
         promotion promobox rating ratings donate donation copyright disclaimer credits credit timestamp \
         postedon postdate entrydate viewcount viewsfield legal imprint tooltip carousel slider slideshow \
         ticker marginalia reactions votes nextpost previouspost nextprev prev toc inhaltsverzeichnis \
         tableofcontents kontakt contact callout cta marketing subscription abo jobs weather shop pswp \
         fotocredit bildnachweis quelle imagecaption imgcaption figurecaption captiontext wpcaption imagesubtitle imagelegend legend bildunterschrift bildtext \
         spenden saboxplugin postprofile userinfo usertitle userdetails signature postmenu postactions votecell linklist links linkbox dossier moreon moreabout weitere mehrzum",
    ),
    (
        COMMENTS,
        "comment comments commentlist commentform commentrespond commentsarea disqus disqusthread livefyre respond \
         kommentar kommentare commentaires comentarios commenti reacties trackback trackbacks pingback pingbacks \
         replies responses guestbook",
    ),
    (
        BODY,
        "articlebody articletext articlecontent articlecontents articlemain entrycontent entrytext postcontent posttext postbody \
         postentry blogcontent blogpostcontent storybody storycontent storytext newscontent newstext newsbody newsdetail \
         bodytext bodycopy maintext textcontent contentbody contenttext bodycontent fulltext richtext \
         fieldnamebody fieldbody nodecontent singlecontent pagecontent mwparseroutput mwcontenttext \
         tdpostcontent artikeltext artikelinhalt beitragstext fliesstext contenido cuerpo texto contenu \
         markdownbody recipebody",
    ),
    (
        CONTENT,
        "content maincontent main article artikel story post entry beitrag inhalt blogpost hentry maincolumn primary \
         contentmain detail news storycontainer page single",
    ),
    (
        LEAD,
        "teaser teasers teasertext lead leadtext intro introtext fullintro excerpt abstract standfirst vorspann einleitung chapo \
         dek subheadline summary bajada entradilla copete anrisstext heroteaser lede",
    ),
    (
        HIDDEN,
        "visuallyhidden screenreadertext screenreader sronly srtext assistivetext unseen invisible displaynone \
         elementinvisible",
    ),
];

const WHOLE: [(Marks, &str); 5] = [
    (
        FURNITURE,
        "nav navi menu ad ads modal overlay dialog search tools print actions metanav servicenav topnav footernav lang languages \
         languageswitcher",
    ),
    (
        SIDE,
        "widget widgets metaline authordate dateline nextstory author meta date tag category categories info aside side right rightcol rightcolumn left leftcol leftcolumn \
         additional extras box sub kicker dachzeile caption",
    ),
    (HIDDEN, "hidden hide"),
    (
        POST,
        "message messagebody messagecontent postmessage bbwrapper postbody postcontainer postcontent answer question \
         answercell topicpost topicbody crawlerpost forumpost threadpost cooked commtext usertextbody",
    ),
    (
        FRAME,
        "header head masthead siteheader pageheader footer foot sitefooter pagefooter colophon bottom top topbar bottombar",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_their_words_however_they_are_joined() {
        for name in [
            "entry-content",
            "entryContent",
            "entry_content clearfix",
            "td entry-content--wide",
        ] {
            assert!(read(name) & BODY != 0, "{name}");
        }
        for name in ["cookie-banner", "js-share-buttons", "SocialMedia"] {
            assert!(read(name) & FURNITURE != 0, "{name}");
        }
        assert_eq!(read("shareholder-discontent") & FURNITURE, 0);
        assert_eq!(
            read("no-nav") & FURNITURE,
            0,
            "`nav` is a mark only as the whole name"
        );
    }
}
