//! The invoice as a page that stands alone: no script, no font and no image from elsewhere.
//! Every value is escaped by the template.

use maud::{DOCTYPE, html};

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:44rem;margin:3rem auto}\
table{width:100%;border-collapse:collapse}\
th,td{padding:.4rem;border-bottom:1px solid #ccc;text-align:left}\
.number{text-align:right}";

/// What stands on an invoice, as text.
pub(super) struct Page {
    pub(super) invoice_id: String,
    pub(super) seller: String,
    pub(super) order_id: String,
    pub(super) date: String,
    pub(super) lines: Vec<Line>,
    pub(super) total: String,
}

pub(super) struct Line {
    pub(super) item: String,
    pub(super) quantity: u32,
    pub(super) unit_price: String,
    pub(super) total: String,
}

impl Page {
    pub(super) fn render(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { "Invoice " (self.invoice_id) }
                    style { (STYLE) }
                }
                body {
                    h1 { "Invoice" }
                    dl {
                        dt { "Invoice" } dd { (self.invoice_id) }
                        dt { "Seller" } dd { (self.seller) }
                        dt { "Order" } dd { (self.order_id) }
                        dt { "Date" } dd { (self.date) }
                    }
                    table {
                        thead {
                            tr {
                                th { "Item" }
                                th.number { "Quantity" }
                                th.number { "Price" }
                                th.number { "Total" }
                            }
                        }
                        tbody {
                            @for line in &self.lines {
                                tr {
                                    td { (line.item) }
                                    td.number { (line.quantity) }
                                    td.number { (line.unit_price) }
                                    td.number { (line.total) }
                                }
                            }
                        }
                        tfoot {
                            tr {
                                th colspan="3" { "Total" }
                                th.number { (self.total) }
                            }
                        }
                    }
                }
            }
        }
        .into_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = r#"</title><script>alert("1")</script>&'"#;

    fn page(text: &str) -> Page {
        Page {
            invoice_id: text.to_owned(),
            seller: text.to_owned(),
            order_id: text.to_owned(),
            date: text.to_owned(),
            lines: vec![Line {
                item: text.to_owned(),
                quantity: 2,
                unit_price: text.to_owned(),
                total: text.to_owned(),
            }],
            total: text.to_owned(),
        }
    }

    #[test]
    fn no_value_is_taken_for_markup() {
        let html = page(HOSTILE).render();
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(html.matches("&lt;/title&gt;&lt;script&gt;").count(), 9);
        assert_eq!(html.matches("&amp;'").count(), 9);
    }

    #[test]
    fn a_page_has_every_line_and_the_total() {
        let mut page = page("x");
        page.lines = (1..=3)
            .map(|n| Line {
                item: format!("item_{n}"),
                quantity: n,
                unit_price: format!("{n}.00 EUR"),
                total: format!("{n}.50 EUR"),
            })
            .collect();
        page.total = "9.99 EUR".to_owned();
        let html = page.render();
        for n in 1..=3 {
            assert!(html.contains(&format!(
                "<td>item_{n}</td><td class=\"number\">{n}</td>\
                 <td class=\"number\">{n}.00 EUR</td><td class=\"number\">{n}.50 EUR</td>"
            )));
        }
        assert!(html.contains("9.99 EUR"));
    }
}
